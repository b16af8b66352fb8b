import { z } from 'zod';

/** What a child process that measured one subject writes to its standard output. Times are nanoseconds per operation. */
export const subjectMeasurement = z.object({
  subject: z.string(),
  tasks: z.array(
    z.object({
      name: z.string(),
      medianNs: z.number(),
      meanNs: z.number(),
      /** The 99th percentile of the samples; a sample is the mean of a batch that takes SAMPLE_NS at least. */
      p99Ns: z.number(),
      /** 95% confidence interval of the mean, ± percent. */
      marginPercent: z.number(),
      samples: z.number(),
      /** JavaScript heap taken per operation, buffers outside of it not counted. */
      heapBytes: z.number(),
      /** Bytes read per operation. */
      bytes: z.number().optional(),
    }),
  ),
});

export type SubjectMeasurement = z.infer<typeof subjectMeasurement>;
export type TaskMeasurement = SubjectMeasurement['tasks'][number];
