import { implement, taskRunner } from './offload/tasks.ts';
import { estimateTokens, estimateTokensTask } from './usage/estimate-task.ts';

/** The entry of the task pool's threads: every task and the function that does it. */
export default taskRunner([implement(estimateTokensTask, estimateTokens)]);
