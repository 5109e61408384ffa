/** Pools that the person may have a desktop of, and has none yet. */
import { Alert, Card, CardBody, CardFooter, CardTitle } from "@patternfly/react-core";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { ReasonButton } from "../../parts/ReasonButton";

const WHAT: Record<Schemas["PoolKind"], string> = {
  dedicated: "The desktop that you get stays yours.",
  floating:
    "You get a fresh desktop. Some time after you leave it is made anew for others: keep nothing in it.",
  ephemeral: "A desktop is made for you. Some time after you leave it is deleted with all that is in it.",
  external: "",
  session_host: "You get a session of your own on a machine that others use, too.",
};

export function OwnPool({ pool }: { pool: Schemas["OwnPool"] }) {
  const take = useAct({
    do: () => answer(client.POST("/api/v1/pools/{id}/take", { params: { path: { id: pool.id } }, body: {} })),
    touches: ["desktops", "own-pools"],
    good: (desktop) => `${desktop.name} is yours`,
    bad: () => `No desktop of ${pool.name}`,
  });
  return (
    <Card component="article" isCompact aria-labelledby={`p-${pool.id}`}>
      <CardTitle component="h2" id={`p-${pool.id}`}>
        {pool.name}
      </CardTitle>
      <CardBody>
        {pool.maintenance ? (
          <Alert variant="info" isInline isPlain title={pool.maintenance} component="h3" />
        ) : (
          WHAT[pool.kind]
        )}
      </CardBody>
      <CardFooter>
        <ReasonButton
          variant="primary"
          reason={take.isPending ? "On its way" : (pool.maintenance ?? "")}
          onClick={() => take.mutate()}
          aria-label={`Get a desktop of ${pool.name}`}
        >
          Get a desktop
        </ReasonButton>
      </CardFooter>
    </Card>
  );
}
