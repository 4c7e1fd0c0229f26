import { Modal } from '@mantine/core';
import { Facts } from '../components/Facts';
import { common } from '../strings/common';
import { shell as s } from '../strings/shell';
import { places } from './navigation';

/** The list behind `?`. */
export default function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title={s.keys} closeButtonProps={{ 'aria-label': common.close }}>
      <Facts of={[...s.keyList, ...places.map(({ key, label }) => [`g ${key}`, label] as const)]} />
    </Modal>
  );
}
