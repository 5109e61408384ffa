/** Bringing an image to the device: from this computer, piece by piece, or from an address that the device reaches itself. */
import {
  Alert,
  Button,
  FileUpload,
  Flex,
  FlexItem,
  Form,
  FormGroup,
  Progress,
  ProgressSize,
} from "@patternfly/react-core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { words } from "../../../viewer/files/client";
import { upload } from "../../../viewer/files/upload";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { useMe } from "../../shell/me";
import { bytes } from "../../words";
import { DeviceStorage } from "./images";

interface Props {
  machine: { id: string; name: string };
  transfer: Schemas["DeviceTransfer"] | null;
  locked: string;
}

/** An upload of this page. */
interface Sending {
  file: File;
  is: "sending" | "waiting" | "paused" | "failed" | "done";
  done: number;
  why: string;
}

export function Bring({ machine, transfer, locked }: Props) {
  const [sending, setSending] = useState<Sending | null>(null);
  const other = transfer && !transfer.over && !(sending && sending.file.name === transfer.name);
  const why = locked || (other ? `${transfer.name} is on its way already` : "");
  return (
    <>
      <Upload machine={machine} locked={why} sending={sending} setSending={setSending} />
      <Fetch machine={machine} locked={why || (sending?.is === "sending" ? "A file is on its way" : "")} />
      {transfer && !(sending && transfer.kind === "upload" && sending.file.name === transfer.name) && (
        <Moving machine={machine} transfer={transfer} locked={locked} />
      )}
    </>
  );
}

interface UploadProps {
  machine: { id: string };
  locked: string;
  sending: Sending | null;
  setSending: (to: Sending | null | ((now: Sending | null) => Sending | null)) => void;
}

function Upload({ machine, locked, sending, setSending }: UploadProps) {
  const me = useMe();
  const queries = useQueryClient();
  const id = useId();
  const stop = useRef<AbortController | null>(null);
  // Whoever leaves the page stops it; what has arrived stays for a while, and the same file goes on there.
  useEffect(() => () => stop.current?.abort(), []);

  const begin = (file: File) => {
    const stopped = new AbortController();
    stop.current = stopped;
    const change = (part: Partial<Sending>) =>
      setSending((now) => (now && !stopped.signal.aborted ? { ...now, ...part } : now));
    setSending({ file, is: "sending", done: 0, why: "" });
    const watcher = {
      progress: (done: number) => change({ is: "sending", done, why: "" }),
      waiting: (error: unknown) => change({ is: "waiting", why: words(error) }),
    };
    upload(new DeviceStorage(machine.id, me.csrf), file.name, file, false, watcher, stopped.signal)
      .then(() => change({ is: "done", done: file.size }))
      .catch((error: unknown) => change({ is: "failed", why: words(error) }))
      .finally(() => void queries.invalidateQueries({ queryKey: ["device"] }));
  };
  const pause = () => {
    stop.current?.abort();
    setSending((now) => now && { ...now, is: "paused", why: "" });
  };
  const cancel = async () => {
    stop.current?.abort();
    setSending(null);
    await client.DELETE("/api/v1/machines/{id}/device/upload", { params: { path: { id: machine.id } } });
    await queries.invalidateQueries({ queryKey: ["device"] });
  };
  const active = sending?.is === "sending" || sending?.is === "waiting";
  const ended = !sending || sending.is === "done" || sending.is === "failed";

  return (
    <>
      <FormGroup label="Upload an image" fieldId={`${id}-filename`}>
        <FileUpload
          id={id}
          hideDefaultPreview
          isDisabled={Boolean(locked) || !ended}
          filename={sending?.file.name ?? ""}
          filenamePlaceholder={locked || "Drop a file here, or choose one"}
          browseButtonText="Choose…"
          filenameAriaLabel="The image that is uploaded"
          isClearButtonDisabled
          onFileInputChange={(_, file) => begin(file)}
        />
      </FormGroup>
      {sending && (
        <div className="stack" aria-live="polite">
          <Progress
            value={Math.floor((sending.done / Math.max(sending.file.size, 1)) * 100)}
            title={`${sending.file.name}: ${bytes(sending.done)} of ${bytes(sending.file.size)}${
              sending.is === "paused" ? ", paused" : sending.is === "done" ? ", done" : ""
            }`}
            aria-label={`Progress of ${sending.file.name}`}
            size={ProgressSize.sm}
            variant={sending.is === "failed" ? "danger" : sending.is === "done" ? "success" : undefined}
          />
          {sending.why && (
            <Alert
              variant={sending.is === "failed" ? "danger" : "warning"}
              isInline
              component="p"
              title={sending.is === "failed" ? sending.why : `It is tried again: ${sending.why}`}
            />
          )}
          <Flex>
            {active && (
              <FlexItem>
                <Button variant="secondary" onClick={pause}>
                  Pause
                </Button>
              </FlexItem>
            )}
            {(sending.is === "paused" || sending.is === "failed") && (
              <FlexItem>
                <Button variant="secondary" onClick={() => begin(sending.file)}>
                  Go on
                </Button>
              </FlexItem>
            )}
            {sending.is !== "done" && (
              <FlexItem>
                <Button variant="link" onClick={() => void cancel()}>
                  Cancel
                </Button>
              </FlexItem>
            )}
          </Flex>
        </div>
      )}
    </>
  );
}

function Fetch({ machine, locked }: { machine: { id: string; name: string }; locked: string }) {
  const [url, setUrl] = useState("");
  const fetching = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/machines/{id}/device/fetch", {
          params: { path: { id: machine.id } },
          body: { url: url.trim() },
        }),
      ),
    touches: ["device", "audit"],
    good: ({ name }) => `The device fetches ${name}`,
    after: () => setUrl(""),
  });
  return (
    <Form
      onSubmit={(event) => {
        event.preventDefault();
        if (!locked && url.trim()) fetching.mutate();
      }}
    >
      <Field
        label="Fetch an image"
        value={url}
        onChange={setUrl}
        placeholder="https://mirror.example/debian.iso"
        help="The device fetches it itself: it must reach the address, Oriel need not."
      />
      <div>
        <ReasonButton
          variant="secondary"
          type="submit"
          reason={locked || (url.trim() ? "" : "Enter an address first")}
          isDisabled={fetching.isPending}
        >
          Fetch
        </ReasonButton>
      </div>
      <ProblemAlert error={fetching.error} />
    </Form>
  );
}

interface MovingProps {
  machine: { id: string; name: string };
  transfer: Schemas["DeviceTransfer"];
  locked: string;
}

/** What is on its way without this page: fetched by the device, or sent by somebody else. */
function Moving({ machine, transfer, locked }: MovingProps) {
  const stop = useAct({
    do: () =>
      answer(client.DELETE("/api/v1/machines/{id}/device/upload", { params: { path: { id: machine.id } } })),
    touches: ["device", "audit"],
    bad: () => `${transfer.name} could not be stopped`,
  });
  const { name, size, done, over, failed } = transfer;
  if (failed)
    return (
      <Alert
        variant="danger"
        isInline
        component="p"
        className="wrap"
        title={`${name}: ${sentence(failed)}`}
      />
    );
  if (over) return <Alert variant="success" isInline isPlain component="p" title={`${name} is there.`} />;
  return (
    <div className="stack">
      <Progress
        value={size ? Math.floor((done / size) * 100) : 0}
        title={`${name}: ${bytes(done)}${size ? ` of ${bytes(size)}` : ""}`}
        aria-label={`Progress of ${name}`}
        size={ProgressSize.sm}
      />
      <div>
        <ReasonButton
          variant="secondary"
          reason={locked}
          isDisabled={stop.isPending}
          onClick={() => stop.mutate()}
        >
          {`Stop ${name}`}
        </ReasonButton>
      </div>
    </div>
  );
}
