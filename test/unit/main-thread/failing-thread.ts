/** A thread whose every task fails. */
export default function fail(): never {
  throw new Error('the disk is gone');
}
