import { Injectable } from '@nestjs/common';

/** The ports in use, known once each server listens: with port 0 the system chose them. */
@Injectable()
export class RunningPorts {
  http = 0;
  grpc = 0;
  enrol = 0;
  /** 0 with an external broker. */
  mqtt = 0;
}
