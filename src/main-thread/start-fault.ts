/** Why a gateway did not start: for the person at the terminal. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}
