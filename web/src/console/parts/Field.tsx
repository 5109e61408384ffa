/** A labelled input with its help or its fault below. */
import {
  Checkbox,
  FormGroup,
  FormHelperText,
  FormSelect,
  FormSelectOption,
  HelperText,
  HelperTextItem,
  TextArea,
  TextInput,
} from "@patternfly/react-core";
import { type ReactNode, useId } from "react";

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  help?: ReactNode;
  fault?: string;
  type?: "text" | "password" | "number" | "datetime-local";
  required?: boolean;
  autoComplete?: string;
  autoFocus?: boolean;
  placeholder?: string;
  min?: number;
  max?: number;
}

export function Field(p: FieldProps) {
  const id = useId();
  return (
    <FormGroup label={p.label} fieldId={id} isRequired={p.required}>
      <TextInput
        id={id}
        type={p.type ?? "text"}
        value={p.value}
        onChange={(_, value) => p.onChange(value)}
        validated={p.fault ? "error" : "default"}
        aria-describedby={p.help || p.fault ? `${id}-help` : undefined}
        autoComplete={p.autoComplete ?? "off"}
        autoFocus={p.autoFocus}
        placeholder={p.placeholder}
        isRequired={p.required}
        spellCheck={false}
        autoCapitalize="none"
        min={p.min}
        max={p.max}
      />
      <Help id={id} help={p.help} fault={p.fault} />
    </FormGroup>
  );
}

interface AreaProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  help?: ReactNode;
  placeholder?: string;
}

/** Several lines, as they were written: keys. */
export function Area(p: AreaProps) {
  const id = useId();
  return (
    <FormGroup label={p.label} fieldId={id}>
      <TextArea
        id={id}
        value={p.value}
        onChange={(_, value) => p.onChange(value)}
        aria-describedby={p.help ? `${id}-help` : undefined}
        autoComplete="off"
        placeholder={p.placeholder}
        spellCheck={false}
        autoCapitalize="none"
        resizeOrientation="vertical"
        rows={4}
        className="key-text"
      />
      <Help id={id} help={p.help} />
    </FormGroup>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: ReadonlyArray<readonly [value: string, text: string]>;
  help?: ReactNode;
  required?: boolean;
}

export function Choice(p: ChoiceProps) {
  const id = useId();
  return (
    <FormGroup label={p.label} fieldId={id} isRequired={p.required}>
      <FormSelect
        id={id}
        value={p.value}
        onChange={(_, value) => p.onChange(value)}
        aria-describedby={p.help ? `${id}-help` : undefined}
      >
        {p.options.map(([value, text]) => (
          <FormSelectOption key={value} value={value} label={text} />
        ))}
      </FormSelect>
      <Help id={id} help={p.help} />
    </FormGroup>
  );
}

interface TickProps {
  label: string;
  value: boolean;
  onChange: (value: boolean) => void;
  help?: ReactNode;
}

export function Tick(p: TickProps) {
  const id = useId();
  return (
    <Checkbox
      id={id}
      label={p.label}
      description={p.help}
      isChecked={p.value}
      onChange={(_, value) => p.onChange(value)}
    />
  );
}

function Help({ id, help, fault }: { id: string; help?: ReactNode; fault?: string }) {
  if (!help && !fault) return null;
  return (
    <FormHelperText>
      <HelperText id={`${id}-help`} isLiveRegion={Boolean(fault)}>
        <HelperTextItem variant={fault ? "error" : "default"}>{fault || help}</HelperTextItem>
      </HelperText>
    </FormHelperText>
  );
}
