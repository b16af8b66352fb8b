export { demoAccount } from './account.ts';
