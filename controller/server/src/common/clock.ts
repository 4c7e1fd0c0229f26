import { Injectable } from '@nestjs/common';

/** The time, passed in: rules that depend on it are tested with any time they need. */
export abstract class Clock {
  abstract now(): Date;
}

@Injectable()
export class SystemClock extends Clock {
  now(): Date {
    return new Date();
  }
}
