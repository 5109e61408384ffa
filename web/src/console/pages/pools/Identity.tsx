/** Who a machine must be, and who it says it is right now: where they differ, an admin may accept what it shows. */
import { Alert, Button, Spinner } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { ProblemAlert } from "../../parts/ProblemState";

export function Identity({ machine, onClose }: { machine: Schemas["Machine"]; onClose: () => void }) {
  const params = { path: { id: machine.id } };
  const asked = useQuery({
    queryKey: ["machines", "identity", machine.id],
    queryFn: () => answer(client.GET("/api/v1/machines/{id}/identity", { params })),
    gcTime: 0,
    retry: false,
  });
  const keep = useAct({
    do: (identity: string) => answer(client.PATCH("/api/v1/machines/{id}", { params, body: { identity } })),
    touches: ["machines"],
    good: () => `${machine.name} must show this from now on`,
    after: onClose,
  });
  const found = asked.data;
  const shown = found && !found.same ? found.shown : null;

  return (
    <Dialogue
      title={`Who is ${machine.name}?`}
      about={machine.protocol === "ssh" ? "Its public host key." : "SHA-256 of its certificate or key."}
      stack
      onClose={onClose}
      buttons={
        <>
          {shown && (
            <Button
              variant={found?.pinned ? "danger" : "primary"}
              isLoading={keep.isPending}
              isDisabled={keep.isPending}
              onClick={() => keep.mutate(shown)}
            >
              {found?.pinned ? "Accept the new one" : "Keep it"}
            </Button>
          )}
          <Button variant={shown ? "link" : "primary"} onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {asked.isPending && <Spinner aria-label="Asking the machine" />}
      <ProblemAlert error={asked.error ?? keep.error} />
      {found?.same && <Alert variant="success" isInline title="It is the one that is kept" component="p" />}
      {found?.pinned && shown && (
        <Alert variant="warning" isInline title="It shows another one than is kept" component="p">
          Connections are refused. Accept it only if you know why: the machine was reinstalled, or its
          certificate was renewed.
        </Alert>
      )}
      {found?.pinned && !found.shown && (
        <Alert variant="warning" isInline title="It shows nothing now, and something is kept" component="p">
          Connections are refused: anybody could be in its place.
        </Alert>
      )}
      {found && (
        <dl className="identity">
          <dt>Kept</dt>
          <dd className="wrap">{found.pinned ?? "nothing yet: the first connection keeps what it meets"}</dd>
          <dt>Shown now</dt>
          <dd className="wrap">{found.shown ?? "nothing"}</dd>
        </dl>
      )}
    </Dialogue>
  );
}
