/** Which version of its image a pool is of: bringing it to another one, watching that, and going back. */
import { Button, FormGroup, Label } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Choice, Field, Tick } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { imagesQuery } from "../../queries";
import { mayIn, whyNot } from "../../roles";
import { useMe } from "../../shell/me";
import { bar, isShare, othersOf, spanFault, whenFault } from "./rollout";

type Pool = Schemas["Pool"];
type Rollout = Schemas["Rollout"];

const TOUCHES = ["pools", "images"];

export function Versions({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  const [starting, setStarting] = useState(!pool.rollout);
  const rollout = pool.rollout;
  if (!rollout || (starting && !rollout.is_open)) return <Start pool={pool} onClose={onClose} />;
  return <Going pool={pool} rollout={rollout} onStart={() => setStarting(true)} onClose={onClose} />;
}

interface GoingProps {
  pool: Pool;
  rollout: Rollout;
  onStart: () => void;
  onClose: () => void;
}

function Going({ pool, rollout, onStart, onClose }: GoingProps) {
  const me = useMe();
  const locked = whyNot(me, "pools_write");
  const path = { params: { path: { id: pool.id } } };
  const act = useAct<"pause" | "resume" | "cancel" | "back" | "forget", unknown>({
    do: (what) => {
      if (what === "pause") return answer(client.POST("/api/v1/pools/{id}/rollout/pause", path));
      if (what === "resume") return answer(client.POST("/api/v1/pools/{id}/rollout/resume", path));
      if (what === "cancel") return answer(client.POST("/api/v1/pools/{id}/rollout/cancel", path));
      if (what === "forget") return answer(client.DELETE("/api/v1/pools/{id}/rollout", path));
      return answer(
        client.POST("/api/v1/pools/{id}/rollback", {
          ...path,
          body: { replace: null, wipe_dedicated: false },
        }),
      );
    },
    touches: TOUCHES,
    after: (_, what) => {
      if (what === "forget") onClose();
    },
  });
  const button = (what: Parameters<typeof act.mutate>[0], text: string, variant: "primary" | "secondary") => (
    <ReasonButton
      variant={variant}
      reason={locked}
      isLoading={act.isPending && act.variables === what}
      isDisabled={act.isPending}
      onClick={() => act.mutate(what)}
    >
      {text}
    </ReasonButton>
  );
  const back = !rollout.is_rollback && pool.image?.id !== undefined;
  return (
    <Dialogue
      title={`Versions of ${pool.name}`}
      stack
      variant="medium"
      onClose={onClose}
      buttons={
        <>
          {rollout.is_open &&
            (rollout.is_paused
              ? button("resume", "Resume", "primary")
              : button("pause", "Pause", "secondary"))}
          {rollout.is_open && button("cancel", "Cancel the roll-out", "secondary")}
          {back && button("back", `Roll back to version ${rollout.from.version}`, "secondary")}
          {!rollout.is_open && (
            <>
              <ReasonButton variant="primary" reason={locked} onClick={onStart}>
                New roll-out
              </ReasonButton>
              {button("forget", "Forget it", "secondary")}
            </>
          )}
          <Button variant="link" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <Card rollout={rollout} />
      <ProblemAlert error={act.error} />
    </Dialogue>
  );
}

const STATES = {
  canary: { text: "Trying it", color: "blue" },
  rest: { text: "Going on", color: "blue" },
  done: { text: "Done", color: "green" },
  stopped: { text: "Stopped by itself", color: "red" },
  cancelled: { text: "Cancelled", color: "grey" },
} as const;

/** Where it stands: what is new, what is old, and what is in between. */
export function Card({ rollout }: { rollout: Rollout }) {
  const state = STATES[rollout.state];
  const parts = bar(rollout.count);
  return (
    <section className="rollout" aria-label="Roll-out">
      <p>
        <strong>
          {rollout.to.name}, version {rollout.from.version} → {rollout.to.version}
        </strong>{" "}
        <Label isCompact color={rollout.is_paused && rollout.is_open ? "orange" : state.color}>
          {rollout.is_paused && rollout.is_open ? "Paused" : state.text}
        </Label>
      </p>
      {parts.length > 0 && (
        <>
          <div className="rollout-bar" aria-hidden="true">
            {parts.map((part) => (
              <span key={part.is} className={`is-${part.is}`} style={{ flexGrow: part.count }} />
            ))}
          </div>
          <ul className="rollout-legend">
            {parts.map((part) => (
              <li key={part.is}>
                <span className={`dot is-${part.is}`} aria-hidden="true" />
                {part.text}
              </li>
            ))}
          </ul>
        </>
      )}
      <p>{rollout.step}</p>
      {rollout.count.kept > 0 && (
        <p className="about">
          Desktops that are somebody's for good keep their disks unless a roll-out is told to wipe them.
        </p>
      )}
      {rollout.failures.length > 0 && (
        <ul aria-label="Desktops that did not come up">
          {rollout.failures.slice(0, 10).map((failure) => (
            <li key={`${failure.desktop.id} ${failure.at}`}>
              <strong>{failure.desktop.name}</strong>: {failure.reason}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Start({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  const me = useMe();
  const images = useQuery(imagesQuery);
  const others = othersOf(images.data ?? [], pool.image);
  const [picked, setPicked] = useState("");
  const [canary, setCanary] = useState("10%");
  const [watch, setWatch] = useState("30");
  const [replace, setReplace] = useState<Schemas["Replace"]>("on_log_off");
  const [when, setWhen] = useState("");
  const [stop, setStop] = useState("0");
  const [wipe, setWipe] = useState(false);
  const version = picked || String(others[0]?.version ?? "");
  const begin = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/pools/{id}/rollout", {
          params: { path: { id: pool.id } },
          body: {
            version: Number(version),
            canary: canary.trim(),
            watch_minutes: Number(watch),
            replace,
            not_before: when.trim() ? new Date(when.trim()).toISOString() : null,
            stop_after: stop.trim(),
            wipe_dedicated: wipe,
          },
        }),
      ),
    touches: TOUCHES,
    good: (rollout) => `${pool.name} goes to version ${rollout.to.version}`,
    after: onClose,
  });
  const share = (text: string) => (isShare(text) ? "" : "A count such as 3, or a part such as 10%");
  const reason =
    whyNot(me, "pools_write") ||
    (others.length === 0 && !images.isPending
      ? `There is no other version of ${pool.image?.name ?? "its image"}`
      : "") ||
    share(canary) ||
    spanFault(watch) ||
    whenFault(when) ||
    share(stop);
  return (
    <Dialogue
      title={`Bring ${pool.name} to another version`}
      about={`Its desktops are of ${pool.image?.name}, version ${pool.image?.version}. A few get the new version first and are watched; then the rest follows at the pool's pace.`}
      stack
      variant="medium"
      onClose={onClose}
      buttons={
        <>
          <ReasonButton
            variant="primary"
            reason={begin.isPending ? "" : reason}
            isLoading={begin.isPending}
            isDisabled={begin.isPending}
            onClick={() => begin.mutate()}
          >
            Begin
          </ReasonButton>
          <Button variant="link" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <Choice
        label="Version"
        value={version}
        onChange={setPicked}
        options={others.map((image) => [String(image.version), `${image.name}, version ${image.version}`])}
      />
      <Field
        label="First"
        value={canary}
        onChange={setCanary}
        fault={share(canary)}
        help="How many desktops come first: a count, or a part of all; 0 for all at once"
      />
      <Field
        label="Watch them for minutes"
        type="number"
        min={0}
        max={10080}
        value={watch}
        onChange={setWatch}
        fault={spanFault(watch)}
      />
      <FormGroup label="When" role="group">
        <Choice
          label="Replace desktops that somebody has"
          value={replace}
          onChange={(value) => setReplace(value as Schemas["Replace"])}
          options={[
            ["on_log_off", "When they have left them"],
            ["now", "Now: connections end, and people are told why"],
          ]}
        />
        <Field
          label="Not before"
          value={when}
          onChange={setWhen}
          fault={whenFault(when)}
          placeholder="2026-12-01 22:00"
          help="In your time zone; at once when empty"
        />
      </FormGroup>
      <Field
        label="Stop when more than so many do not come up"
        value={stop}
        onChange={setStop}
        fault={share(stop)}
        help="A count, or a part; new desktops are of the old version again then"
      />
      {mayIn(me, "desktops_write", pool.id) && (
        <Tick
          label="Wipe also desktops that are somebody's for good"
          value={wipe}
          onChange={setWipe}
          help="What is on their disks is lost. Otherwise those stay as they are"
        />
      )}
      <ProblemAlert error={begin.error ?? images.error} />
    </Dialogue>
  );
}
