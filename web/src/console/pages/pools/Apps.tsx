/** The programs that a pool publishes: who may use the pool finds each among their desktops. */
import { Button, FileUpload, FormGroup } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { Dialogue } from "../../parts/Dialogue";
import { Choice, Field } from "../../parts/Field";
import { Loaded } from "../../parts/Loaded";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { appsQuery } from "../../queries";
import { AppIcon } from "./AppIcon";
import { type AppDraft, base64Of, draftOf, faultOf, iconFault, iconHref, runOf } from "./apps";

type Pool = Schemas["Pool"];
type App = Schemas["App"];

const TOUCHES = ["apps", "own-apps"];

export function Apps({ pool, locked, onClose }: { pool: Pool; locked: string; onClose: () => void }) {
  const apps = useQuery(appsQuery(pool.id));
  const [open, setOpen] = useState<"new" | { edit: App } | { remove: App } | null>(null);
  const close = () => setOpen(null);
  if (open === "new") return <AppForm pool={pool} onClose={close} />;
  if (open && "edit" in open) return <AppForm pool={pool} app={open.edit} onClose={close} />;
  if (open && "remove" in open) return <RemoveApp pool={pool} app={open.remove} onClose={close} />;
  return (
    <Dialogue
      title={`Programs of ${pool.name}`}
      about="Whoever may use the pool finds each as a card among their desktops, and opens it in a tab of its own."
      variant="medium"
      stack
      onClose={onClose}
      buttons={
        <>
          <ReasonButton variant="primary" reason={locked} onClick={() => setOpen("new")}>
            Publish a program
          </ReasonButton>
          <Button variant="link" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      <Loaded query={apps} bare>
        {(list) =>
          list.length === 0 ? (
            <p>It publishes no programs yet.</p>
          ) : (
            <Table aria-label={`Programs of ${pool.name}`} variant="compact">
              <Thead>
                <Tr>
                  <Th screenReaderText="Icon" />
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap">Runs</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((app) => (
                  <Tr key={app.id}>
                    <Td>
                      <AppIcon href={iconHref(pool.id, app)} />
                    </Td>
                    <Td dataLabel="Name">{app.name}</Td>
                    <Td dataLabel="Runs" modifier="breakWord">
                      {[app.run.remote_app ?? app.run.initial_program, app.run.arguments]
                        .filter(Boolean)
                        .join(" ")}
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={app.name}
                        actions={[
                          { text: "Edit…", reason: locked, act: () => setOpen({ edit: app }) },
                          {
                            text: "Publish no longer…",
                            danger: true,
                            reason: locked,
                            act: () => setOpen({ remove: app }),
                          },
                        ]}
                      />
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
    </Dialogue>
  );
}

function AppForm({ pool, app, onClose }: { pool: Pool; app?: App; onClose: () => void }) {
  const [draft, setDraft] = useState<AppDraft>(draftOf(app));
  const [file, setFile] = useState({ name: "", fault: "" });
  const id = useId();
  const save = useAct({
    do: () => {
      const body = {
        name: draft.name.trim(),
        run: runOf(draft),
        ...(draft.icon !== null && { icon: draft.icon }),
      };
      return app
        ? answer(
            client.PATCH("/api/v1/pools/{id}/apps/{app}", {
              params: { path: { id: pool.id, app: app.id } },
              body,
            }),
          )
        : answer(client.POST("/api/v1/pools/{id}/apps", { params: { path: { id: pool.id } }, body }));
    },
    touches: TOUCHES,
    good: (saved) => (app ? `${saved.name} was changed` : `${pool.name} publishes ${saved.name}`),
    after: onClose,
  });
  const choose = async (chosen: File) => {
    const bytes = new Uint8Array(await chosen.slice(0, 128 * 1024).arrayBuffer());
    const fault = iconFault(bytes);
    setFile({ name: chosen.name, fault });
    setDraft((now) => ({ ...now, icon: fault ? null : base64Of(bytes) }));
  };
  const set = (part: Partial<AppDraft>) => setDraft({ ...draft, ...part });
  const remote = draft.kind === "remote";
  const shown = draft.icon === null ? (app ? iconHref(pool.id, app) : null) : draft.icon;
  return (
    <Dialogue
      title={app ? `Edit ${app.name}` : `Publish a program of ${pool.name}`}
      stack
      onClose={onClose}
      buttons={
        <>
          <ReasonButton
            variant="primary"
            reason={save.isPending ? "Being saved" : faultOf(draft) || file.fault}
            onClick={() => save.mutate()}
          >
            {app ? "Save" : "Publish"}
          </ReasonButton>
          <Button variant="link" onClick={onClose}>
            Cancel
          </Button>
        </>
      }
    >
      {save.error && <ProblemAlert error={save.error} />}
      <Field label="Name" value={draft.name} onChange={(name) => set({ name })} required autoFocus />
      <Choice
        label="Kind"
        value={draft.kind}
        onChange={(kind) => set({ kind: kind === "remote" ? "remote" : "program" })}
        options={[
          ["program", "A program, instead of the desktop"],
          ["remote", "A RemoteApp of Windows"],
        ]}
      />
      <Field
        label="Program"
        value={draft.program}
        onChange={(program) => set({ program })}
        help={remote ? "Its path there, or || and the name that it is published under" : "With its arguments"}
        required
      />
      {remote && (
        <Field label="Arguments" value={draft.arguments} onChange={(value) => set({ arguments: value })} />
      )}
      <Field label="Starts in the folder" value={draft.folder} onChange={(folder) => set({ folder })} />
      <FormGroup label="Icon" fieldId={id}>
        <div className="app-icon-choice">
          <AppIcon href={draft.icon ? `data:image/png;base64,${draft.icon}` : shown || null} />
          <FileUpload
            id={id}
            hideDefaultPreview
            filename={file.name}
            filenamePlaceholder="A PNG of at most 64 KiB"
            browseButtonText="Choose…"
            clearButtonText="Remove"
            filenameAriaLabel="The icon's file"
            isClearButtonDisabled={!shown && !file.name}
            validated={file.fault ? "error" : "default"}
            onFileInputChange={(_, chosen) => void choose(chosen)}
            onClearClick={() => {
              setFile({ name: "", fault: "" });
              set({ icon: app?.icon ? "" : null });
            }}
            dropzoneProps={{ accept: { "image/png": [".png"] } }}
          />
        </div>
        {file.fault && <p className="about">{file.fault}: choose another file</p>}
      </FormGroup>
    </Dialogue>
  );
}

function RemoveApp({ pool, app, onClose }: { pool: Pool; app: App; onClose: () => void }) {
  const path = { id: pool.id, app: app.id };
  return (
    <Confirm
      title={`Publish ${app.name} no longer?`}
      verb="Publish no longer"
      do={() => answer(client.DELETE("/api/v1/pools/{id}/apps/{app}", { params: { path } }))}
      touches={TOUCHES}
      good={() => `${app.name} is published no longer`}
      onClose={onClose}
    >
      <p>Its card goes from people's desktops. Sessions that are open go on.</p>
    </Confirm>
  );
}
