import { ApiTokenEntity, SessionEntity, UserEntity } from './access/access.entity.js';
import { AuditEntity } from './access/audit.entity.js';
import { DesiredEntity } from './devices/desired.entity.js';
import { DeviceEntity } from './devices/device.entity.js';
import { EnrolmentTokenEntity } from './devices/enrolment.entity.js';
import { InboxEntity } from './devices/inbox.entity.js';
import { MeasurementEntity } from './devices/measurement.entity.js';

/** Tables of people, devices and what they report. */
export const GROUND_ENTITIES = [
  UserEntity,
  SessionEntity,
  ApiTokenEntity,
  AuditEntity,
  DeviceEntity,
  EnrolmentTokenEntity,
  DesiredEntity,
  InboxEntity,
  MeasurementEntity,
];
