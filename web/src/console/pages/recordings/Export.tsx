/** A recording in another form: what was made of it, what is being made, and asking for more. */
import { Alert, Button, Form, Progress, ProgressSize } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Choice, Tick } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { When } from "../../parts/When";
import { exportsQuery } from "../../queries";
import { bytes } from "../../words";

type Format = Schemas["ExportFormat"];

const FORMATS: Record<Format, string> = {
  mp4: "MP4 (H.264)",
  webm: "WebM (VP9)",
  cast: "asciicast",
  text: "Plain text",
};
const OF_SCREENS = ["mp4", "webm"] as const;
const OF_SHELLS = ["cast", "text"] as const;

export function Export({ recording, onClose }: { recording: Schemas["Recording"]; onClose: () => void }) {
  const formats: readonly Format[] = recording.kind === "ssh" ? OF_SHELLS : OF_SCREENS;
  const [format, setFormat] = useState<Format>(formats[0] ?? "mp4");
  const [skip, setSkip] = useState(true);
  const exports = useQuery(exportsQuery(recording.id));
  const isFilm = recording.kind !== "ssh";
  const begin = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/recordings/{id}/exports", {
          params: { path: { id: recording.id } },
          body: { format, skip_idle: isFilm && skip },
        }),
      ),
    touches: ["exports", "operations"],
  });
  return (
    <Dialogue
      title={`Export the recording of ${recording.desktop.name}`}
      about="It is made in the background, also when this page is closed, and kept for a week."
      stack
      onClose={onClose}
      buttons={
        <>
          <Button isLoading={begin.isPending} isDisabled={begin.isPending} onClick={() => begin.mutate()}>
            Export
          </Button>
          <Button variant="link" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <Form onSubmit={(event) => event.preventDefault()}>
        <Choice
          label="As"
          value={format}
          onChange={(to) => setFormat(to as Format)}
          options={formats.map((one) => [one, FORMATS[one]] as const)}
          help={isFilm ? "Sound is not recorded, so there is none" : undefined}
        />
        {isFilm && <Tick label="Make pauses short" value={skip} onChange={setSkip} />}
      </Form>
      <ProblemAlert error={begin.error} />
      {exports.data && exports.data.length > 0 && (
        <ul className="exports" aria-label="Exports">
          {exports.data.map((one) => (
            <li key={one.id}>
              <Made recording={recording} made={one} />
            </li>
          ))}
        </ul>
      )}
    </Dialogue>
  );
}

function Made({ recording, made }: { recording: Schemas["Recording"]; made: Schemas["Export"] }) {
  const remove = useAct({
    do: () =>
      answer(
        client.DELETE("/api/v1/recordings/{id}/exports/{export}", {
          params: { path: { id: recording.id, export: made.id } },
        }),
      ),
    touches: ["exports", "operations"],
    bad: () => "Could not delete the export",
  });
  const what = `${FORMATS[made.format]}${made.skip_idle ? ", pauses short" : ""}`;
  const active = made.state === "running" || made.state === "queued";
  const at = `/api/v1/recordings/${encodeURIComponent(recording.id)}/exports/${encodeURIComponent(made.id)}/content`;
  return (
    <>
      {active && (
        <Progress
          value={Math.round(made.progress * 100)}
          title={`${what}: ${made.step || "waiting for its turn"}`}
          aria-label={`Progress of ${what}`}
          size={ProgressSize.sm}
        />
      )}
      {made.state === "failed" && (
        <Alert
          variant="danger"
          isInline
          component="h3"
          title={made.error ? sentence(made.error) : "It was given up"}
          className="wrap"
        />
      )}
      {made.state === "cancelled" && <span>{what}: cancelled</span>}
      {made.state === "done" && (
        <Button variant="link" isInline component="a" href={at} download>
          {`Download ${what}, ${bytes(made.bytes)}`}
        </Button>
      )}{" "}
      {made.until && (
        <span className="about">
          deleted <When at={made.until} />{" "}
        </span>
      )}
      <Button
        variant="link"
        isInline
        isDanger
        isLoading={remove.isPending}
        onClick={() => remove.mutate()}
        aria-label={`${active ? "Cancel" : "Delete"} ${what}`}
      >
        {active ? "Cancel" : "Delete"}
      </Button>
    </>
  );
}
