/** Pairs of something here and a group of where people come from. */
import { Button, FormGroup, FormSelect, FormSelectOption, TextInput } from "@patternfly/react-core";
import MinusCircleIcon from "@patternfly/react-icons/dist/esm/icons/minus-circle-icon";
import type { Mapped } from "./directory-form";

interface Props {
  label: string;
  help: string;
  /** Ours, to choose from. */
  options: ReadonlyArray<readonly [value: string, text: string]>;
  value: Mapped[];
  /** Where people come from. */
  where?: string;
  placeholder?: string;
  onChange: (value: Mapped[]) => void;
}

export function Mappings(p: Props) {
  const { where = "directory", placeholder = "cn=artists,ou=groups,dc=lab" } = p;
  const change = (at: number, more: Partial<Mapped>) =>
    p.onChange(p.value.map((one, n) => (n === at ? { ...one, ...more } : one)));
  return (
    <FormGroup label={p.label} role="group" fieldId={p.label}>
      <p className="about">{p.help}</p>
      {p.value.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows are told apart by their place only
        <div className="mapping" key={at}>
          <FormSelect
            aria-label={`${p.label} ${at + 1}: here`}
            value={one.ours}
            onChange={(_, ours) => change(at, { ours })}
          >
            <FormSelectOption value="" label="choose" isDisabled />
            {p.options.map(([value, text]) => (
              <FormSelectOption key={value} value={value} label={text} />
            ))}
          </FormSelect>
          <TextInput
            aria-label={`${p.label} ${at + 1}: in the ${where}`}
            placeholder={placeholder}
            value={one.dn}
            onChange={(_, dn) => change(at, { dn })}
            spellCheck={false}
            autoCapitalize="none"
          />
          <Button
            variant="plain"
            aria-label={`${p.label} ${at + 1}: take away`}
            icon={<MinusCircleIcon />}
            onClick={() => p.onChange(p.value.filter((_, n) => n !== at))}
          />
        </div>
      ))}
      <Button variant="link" isInline onClick={() => p.onChange([...p.value, { ours: "", dn: "" }])}>
        Add to {p.label.toLowerCase()}
      </Button>
    </FormGroup>
  );
}
