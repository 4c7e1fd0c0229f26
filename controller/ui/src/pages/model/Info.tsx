import type { ModelView } from '@espalier/proto/api';
import { Facts } from '../../components/Facts';
import { formatBytes, formatCount } from '../../components/format';
import { Tone } from '../../components/Status';
import { models as s } from '../../strings/models';

const tensors = (specs: ModelView['info']['inputs']): string =>
  specs.map(({ name, type, shape }) => `${name}: ${type} [${shape.join(', ')}]`).join('; ');

/** What was read from the ONNX file. */
export function Info({ model }: { readonly model: ModelView }) {
  const { info, preprocess, labels } = model;
  const operators = Object.entries(info.operators)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`);
  return (
    <div className="card stack">
      {info.warnings.map((warning) => (
        <Tone key={warning} tone="warning">
          <span style={{ whiteSpace: 'normal' }}>{warning}</span>
        </Tone>
      ))}
      <Facts
        of={[
          [s.size, formatBytes(info.sizeBytes)],
          [s.parameters, formatCount(info.parameters)],
          [s.inputs, tensors(info.inputs)],
          [s.outputs, tensors(info.outputs)],
          [s.operators, operators.join(', ')],
          [s.opset, `${info.opset} (IR ${info.irVersion})`],
          [s.producer, info.producer || null],
          [s.labels, labels?.join(', ')],
          [
            s.preprocess,
            preprocess ? (
              <code className="mono" key="preprocess">
                {JSON.stringify(preprocess)}
              </code>
            ) : (
              s.noPreprocess
            ),
          ],
        ]}
      />
    </div>
  );
}
