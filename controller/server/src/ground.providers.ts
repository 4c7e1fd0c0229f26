import { AccessController } from './access/access.controller.js';
import { AccessGuard } from './access/access.guard.js';
import { AccessRepository } from './access/access.repository.js';
import { AccessService } from './access/access.service.js';
import { AuditRepository } from './access/audit.repository.js';
import { AuditService } from './access/audit.service.js';
import { ArtifactStore } from './artifacts/artifact-store.js';
import { Clock, SystemClock } from './common/clock.js';
import { DomainEvents } from './common/domain-events.js';
import { EventBus } from './common/events.js';
import { RunningPorts } from './common/running-ports.js';
import { DesiredRepository } from './devices/desired.repository.js';
import { DesiredService } from './devices/desired.service.js';
import { DesiredPublisher } from './devices/desired-publisher.js';
import { DeviceRepository } from './devices/device.repository.js';
import { DeviceService } from './devices/device.service.js';
import { DeviceViews } from './devices/device.view.js';
import { DevicesController } from './devices/devices.controller.js';
import { EnrolmentRepository } from './devices/enrolment.repository.js';
import { EnrolmentService } from './devices/enrolment.service.js';
import { MeasurementRepository } from './devices/measurement.repository.js';
import { MeasurementService } from './devices/measurement.service.js';
import { PresenceService } from './devices/presence.service.js';
import { ExecutionHandler } from './gateway/execution.handler.js';
import { FactsHandler } from './gateway/facts.handler.js';
import { GatewayService } from './gateway/gateway.service.js';
import { GrpcGateway } from './gateway/grpc.gateway.js';
import { IngestService } from './gateway/ingest.service.js';
import { MeasurementHandler } from './gateway/measurement.handler.js';
import { MqttGateway } from './gateway/mqtt.gateway.js';
import { ServingHandler } from './gateway/serving.handler.js';
import { StatusHandler } from './gateway/status.handler.js';
import { TimingHandler } from './gateway/timing.handler.js';
import { ProfilesController } from './profiles/profiles.controller.js';
import { MetricsService } from './system/metrics.service.js';
import { SystemController } from './system/system.controller.js';
import { SystemStatus } from './system/system-status.js';

export const GROUND_CONTROLLERS = [AccessController, DevicesController, ProfilesController, SystemController];

/** People, devices and the doors between: everything the work domains stand on. */
export const GROUND_PROVIDERS = [
  ...[{ provide: Clock, useClass: SystemClock }, EventBus, DomainEvents, RunningPorts],
  ...[AccessGuard, AccessRepository, AccessService, AuditRepository, AuditService, ArtifactStore],
  ...[DesiredRepository, DesiredService, DeviceRepository, DeviceService, DeviceViews, PresenceService],
  ...[EnrolmentRepository, EnrolmentService, MeasurementRepository, MeasurementService],
  ...[StatusHandler, FactsHandler, ServingHandler, ExecutionHandler, MeasurementHandler, TimingHandler, IngestService],
  ...[MqttGateway, { provide: DesiredPublisher, useExisting: MqttGateway }, GrpcGateway, GatewayService],
  ...[SystemStatus, MetricsService],
];
