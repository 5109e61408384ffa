/** A row's actions: a menu whose disabled entries say why. */

import { MenuToggle } from "@patternfly/react-core";
import EllipsisVIcon from "@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon";
import { ActionsColumn, type IAction } from "@patternfly/react-table";

export interface RowAction {
  text: string;
  reason?: string;
  danger?: boolean;
  act: () => void;
}

export function RowActions({ of, actions }: { of: string; actions: RowAction[] }) {
  const items: IAction[] = actions.map(({ text, reason, danger, act }) => ({
    title: text,
    isAriaDisabled: Boolean(reason),
    description: reason || undefined,
    isDanger: danger,
    onClick: act,
  }));
  return (
    <ActionsColumn
      items={items}
      popperProps={{ position: "right" }}
      actionsToggle={({ onToggle, isOpen, toggleRef }) => (
        <MenuToggle
          ref={toggleRef}
          variant="plain"
          onClick={onToggle}
          isExpanded={isOpen}
          aria-label={`Actions for ${of}`}
          icon={<EllipsisVIcon />}
        />
      )}
    />
  );
}
