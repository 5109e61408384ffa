/** A list of people or groups that have something, and a choice to give it to one more. */
import { Button } from "@patternfly/react-core";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { Choice } from "./Field";
import { ProblemAlert } from "./ProblemState";
import { ReasonButton } from "./ReasonButton";

type Named = Schemas["Named"];

interface Props {
  list: string;
  has: ReadonlyArray<Named>;
  all: ReadonlyArray<Named>;
  label: string;
  verb: string;
  /** Why nobody more can be chosen. */
  everyone: string;
  take: { text: string; of: (name: string) => string };
  busy: boolean;
  error: unknown;
  onGive: (id: string) => void;
  onTake: (id: string) => void;
}

export function Give(p: Props) {
  const [picked, setPicked] = useState("");
  const others = p.all.filter((one) => !p.has.some((has) => has.id === one.id));
  const chosen = others.some((one) => one.id === picked) ? picked : (others[0]?.id ?? "");
  return (
    <>
      {p.has.length === 0 ? (
        <p className="about">Nobody yet.</p>
      ) : (
        <ul className="people" aria-label={p.list}>
          {p.has.map((has) => (
            <li key={has.id}>
              <span>{has.name}</span>
              <Button
                variant="link"
                isDanger
                size="sm"
                onClick={() => p.onTake(has.id)}
                aria-label={p.take.of(has.name)}
              >
                {p.take.text}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <ProblemAlert error={p.error} />
      <div className="give">
        <Choice
          label={p.label}
          value={chosen}
          onChange={setPicked}
          options={
            others.length ? others.map((one) => [one.id, one.name] as const) : [["", "nobody is left"]]
          }
        />
        <ReasonButton
          variant="secondary"
          reason={chosen ? "" : p.everyone}
          isLoading={p.busy}
          onClick={() => p.onGive(chosen)}
        >
          {p.verb}
        </ReasonButton>
      </div>
    </>
  );
}
