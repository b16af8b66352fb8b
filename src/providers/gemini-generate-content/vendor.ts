/** Marks signatures that a Gemini model made (inference/signature.ts), on the API and on Vertex alike. */
export const VENDOR = 'gemini';
