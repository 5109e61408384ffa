/** Makes a group, or changes one. */
import { ExpandableSection, Grid, GridItem } from "@patternfly/react-core";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import {
  draftOf,
  FACTOR_CHOICES,
  faultOf,
  GROUP_RULES,
  policyOf,
  type Rule,
  type RulesDraft,
  summary,
} from "./group-rules";

const NAME_CHARS_MAX = 100;

function faultOfName(name: string): string {
  if (name.trim() === "") return "Give it a name";
  if (name.trim().length > NAME_CHARS_MAX) return `A name has at most ${NAME_CHARS_MAX} characters`;
  return name.includes("/") ? "A name has no slashes" : "";
}

export function GroupForm({ group, onClose }: { group?: Schemas["Group"]; onClose: () => void }) {
  const [name, setName] = useState(group?.name ?? "");
  const [about, setAbout] = useState(group?.about ?? "");
  const [factor, setFactor] = useState<Schemas["SecondFactorRule"]>(group?.second_factor ?? "optional");
  const [rules, setRules] = useState<RulesDraft>(() => draftOf(group?.policy ?? {}));
  const save = useAct({
    do: () => {
      const body = { name: name.trim(), about: about.trim(), policy: policyOf(rules), second_factor: factor };
      if (group) {
        return answer(client.PATCH("/api/v1/groups/{id}", { params: { path: { id: group.id } }, body }));
      }
      return answer(client.POST("/api/v1/groups", { body }));
    },
    touches: ["groups", "users", "pools"],
    good: (made) => `The group ${made.name} was ${group ? "changed" : "made"}`,
    after: onClose,
  });
  const fault = GROUP_RULES.some((rule) => faultOf(rule, rules[rule.name] ?? ""))
    ? "A number is out of bounds"
    : "";

  return (
    <FormModal
      title={group ? `Edit ${group.name}` : "New group"}
      verb={group ? "Save" : "Make group"}
      reason={faultOfName(name) || fault}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
    >
      <Field
        label="Name"
        value={name}
        onChange={setName}
        fault={name && faultOfName(name)}
        required
        autoFocus
      />
      <Field label="What it is for" value={about} onChange={setAbout} />
      <Choice
        label="Second factor"
        value={factor}
        onChange={(value) => setFactor(value as Schemas["SecondFactorRule"])}
        options={FACTOR_CHOICES}
        help="Holds from their next sign-in on"
      />
      <ExpandableSection
        toggleText={`Rules for its members: ${fault.toLowerCase() || summary(policyOf(rules)) || "as pools say"}`}
        isIndented
      >
        <p className="about">
          They replace what a pool says, in every pool. Of several groups of a person the strictest wins.
        </p>
        <Grid hasGutter sm={6}>
          {GROUP_RULES.map((rule) => (
            <GridItem key={rule.name}>
              <OneRule
                rule={rule}
                value={rules[rule.name] ?? ""}
                onChange={(text) => setRules({ ...rules, [rule.name]: text })}
              />
            </GridItem>
          ))}
        </Grid>
      </ExpandableSection>
    </FormModal>
  );
}

function OneRule(p: { rule: Rule; value: string; onChange: (text: string) => void }) {
  const { label, options, number } = p.rule;
  if (options) {
    const all = options.map(([value, text]) => [value, text] as const);
    return (
      <Choice
        label={label}
        value={p.value}
        onChange={p.onChange}
        options={[["", "As the pool says"], ...all]}
      />
    );
  }
  return (
    <Field
      label={label}
      type="number"
      min={number?.never ? 0 : 1}
      max={number?.most}
      value={p.value}
      onChange={p.onChange}
      fault={faultOf(p.rule, p.value)}
      help={number?.never ? "Empty: as the pool says. 0: never" : "Empty: as the pool says"}
    />
  );
}
