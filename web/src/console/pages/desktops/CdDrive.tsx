/** The CD drive of a desktop: what is in it, the images that lie on its host for it, and starting from it once. */
import {
  Alert,
  Button,
  FileUpload,
  Flex,
  FlexItem,
  FormGroup,
  Progress,
  ProgressSize,
} from "@patternfly/react-core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { words } from "../../../viewer/files/client";
import { sleep } from "../../../viewer/files/retry";
import { upload } from "../../../viewer/files/upload";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Choice } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { driveQuery } from "../../queries";
import { useMe } from "../../shell/me";
import { bytes } from "../../words";
import { DriveImages } from "../devices/images";

interface Props {
  desktop: { id: string; name: string };
  /** Starting from a CD has all of the disk before it. */
  admin: boolean;
  onClose: () => void;
}

export function CdDrive({ desktop, admin, onClose }: Props) {
  const drive = useQuery(driveQuery(desktop.id));
  return (
    <Dialogue
      title={`CD drive of ${desktop.name}`}
      about="Images lie on its host, and go with its disk when it is made anew."
      stack
      onClose={onClose}
      buttons={
        <Button variant="link" onClick={onClose}>
          Close
        </Button>
      }
    >
      <ProblemAlert error={drive.error} />
      {drive.data && <Inside desktop={desktop} drive={drive.data} admin={admin} />}
    </Dialogue>
  );
}

interface InsideProps {
  desktop: Props["desktop"];
  drive: Schemas["DesktopDrive"];
  admin: boolean;
}

function Inside({ desktop, drive, admin }: InsideProps) {
  const params = { path: { id: desktop.id } };
  const whole = drive.images.filter((one) => one.complete);
  const [chosen, setChosen] = useState("");
  const name = whole.some((one) => one.name === chosen) ? chosen : (whole[0]?.name ?? "");
  const touches = ["drive"];
  const put = useAct({
    do: (image: string | null) =>
      answer(client.POST("/api/v1/desktops/{id}/drive", { params, body: { image } })),
    touches,
    good: (now) => (now.image ? `${now.image} is in the drive` : "The drive is empty"),
  });
  const remove = useAct({
    do: (image: string) =>
      answer(
        client.DELETE("/api/v1/desktops/{id}/drive/image", { params: { ...params, query: { name: image } } }),
      ),
    touches,
    good: (_, image) => `${image} was deleted`,
  });
  const start = useAct({
    do: (from: boolean) =>
      from
        ? answer(client.PUT("/api/v1/desktops/{id}/drive/start", { params }))
        : answer(client.DELETE("/api/v1/desktops/{id}/drive/start", { params })),
    touches,
  });
  const busy = put.isPending || remove.isPending;

  return (
    <>
      <p aria-live="polite">
        {drive.image ? `${drive.image} is in the drive.` : "The drive is empty."}{" "}
        {drive.starts && "The desktop starts from it when it starts next, and not again."}
      </p>
      {whole.length > 0 && (
        <Choice
          label="Image"
          value={name}
          onChange={setChosen}
          options={whole.map((one) => [one.name, `${one.name} (${bytes(one.bytes)})`] as const)}
        />
      )}
      <Flex>
        <FlexItem>
          <ReasonButton
            variant="primary"
            reason={name ? (drive.image === name ? "It is in the drive" : "") : "Upload an image first"}
            isDisabled={busy}
            onClick={() => put.mutate(name)}
          >
            Insert
          </ReasonButton>
        </FlexItem>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            reason={drive.image ? "" : "The drive is empty"}
            isDisabled={busy}
            onClick={() => put.mutate(null)}
          >
            Eject
          </ReasonButton>
        </FlexItem>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            isDanger
            reason={
              name ? (drive.image === name ? "It is in the drive: eject it first" : "") : "There is none"
            }
            isDisabled={busy}
            onClick={() => remove.mutate(name)}
          >
            Delete
          </ReasonButton>
        </FlexItem>
        {admin && (
          <FlexItem>
            <ReasonButton
              variant="secondary"
              reason={drive.image || drive.starts ? "" : "Insert an image first"}
              isDisabled={start.isPending}
              onClick={() => start.mutate(!drive.starts)}
            >
              {drive.starts ? "Start from its disk" : "Start from it once"}
            </ReasonButton>
          </FlexItem>
        )}
      </Flex>
      <ProblemAlert error={put.error ?? remove.error ?? start.error} />
      <Send desktop={desktop} there={whole.map((one) => one.name)} />
    </>
  );
}

interface Sending {
  file: File;
  done: number;
  is: "sending" | "failed" | "done";
  why: string;
}

interface SendProps {
  desktop: Props["desktop"];
  /** Images that an upload does not replace, nor its end remove. */
  there: readonly string[];
}

function Send({ desktop, there }: SendProps) {
  const me = useMe();
  const queries = useQueryClient();
  const id = useId();
  const [sending, setSending] = useState<Sending | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  const again = () => queries.invalidateQueries({ queryKey: ["drive"] });
  const begin = (file: File) => {
    if (there.includes(file.name)) {
      const why = `There is an image ${file.name} already: delete it first, or give this one another name`;
      setSending({ file, done: 0, is: "failed", why });
      return;
    }
    const stopped = new AbortController();
    stop.current = stopped;
    const change = (part: Partial<Sending>) =>
      setSending((now) => (now && !stopped.signal.aborted ? { ...now, ...part } : now));
    setSending({ file, done: 0, is: "sending", why: "" });
    const watcher = {
      progress: (done: number) => change({ done, why: "" }),
      waiting: (error: unknown) => change({ why: words(error) }),
    };
    upload(new DriveImages(desktop.id, me.csrf), file.name, file, false, watcher, stopped.signal)
      .then(() => change({ is: "done", done: file.size }))
      .catch((error: unknown) => change({ is: "failed", why: words(error) }))
      .finally(() => void again());
  };
  const cancel = async () => {
    const name = sending?.file.name ?? "";
    stop.current?.abort();
    setSending(null);
    const params = { path: { id: desktop.id }, query: { name } };
    // The piece on its way settles first.
    for (let tries = 0; tries < 5; tries += 1) {
      const { response } = await client.DELETE("/api/v1/desktops/{id}/drive/image", { params });
      if (response.status !== 409) break;
      await sleep(500);
    }
    await again();
  };

  return (
    <FormGroup label="Upload a CD image" fieldId={`${id}-filename`}>
      <FileUpload
        id={id}
        hideDefaultPreview
        isDisabled={sending?.is === "sending"}
        filename={sending?.file.name ?? ""}
        filenamePlaceholder="Drop a file here, or choose one"
        browseButtonText="Choose…"
        filenameAriaLabel="The CD image that is uploaded"
        isClearButtonDisabled
        onFileInputChange={(_, file) => begin(file)}
      />
      {sending && (
        <div className="stack" aria-live="polite">
          <Progress
            value={Math.floor((sending.done / Math.max(sending.file.size, 1)) * 100)}
            title={`${sending.file.name}: ${bytes(sending.done)} of ${bytes(sending.file.size)}${
              sending.is === "done" ? ", done" : ""
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
          {sending.is === "sending" && (
            <div>
              <Button variant="link" onClick={() => void cancel()}>
                Cancel
              </Button>
            </div>
          )}
        </div>
      )}
    </FormGroup>
  );
}
