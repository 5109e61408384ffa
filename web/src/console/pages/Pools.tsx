/** Sets of like desktops: what they are made of, who may use them, and adding one for a person. */
import {
  Button,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
} from "@patternfly/react-core";
import CubesIcon from "@patternfly/react-icons/dist/esm/icons/cubes-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { RowActions } from "../parts/Row";
import { isExternal } from "../pool";
import { imagesQuery, poolsQuery, quotasQuery } from "../queries";
import { whyNot } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { count, memory } from "../words";
import { AddDesktop } from "./pools/AddDesktop";
import { Agenda } from "./pools/Agenda";
import { Apps } from "./pools/Apps";
import { ClosePool } from "./pools/ClosePool";
import { ExternalPoolForm } from "./pools/ExternalPoolForm";
import { Hosts } from "./pools/Hosts";
import { People } from "./pools/People";
import { PoolForm } from "./pools/PoolForm";
import { summary } from "./pools/Rules";
import { brief } from "./pools/rollout";
import { Versions } from "./pools/Versions";
import { limitsThere, QuotaForm } from "./users/QuotaForm";

type Pool = Schemas["Pool"];
type Dialogue =
  | { is: "new" | "new-external" | "calendar" }
  | {
      is:
        | "edit"
        | "people"
        | "quota"
        | "bookings"
        | "add"
        | "versions"
        | "apps"
        | "hosts"
        | "close"
        | "delete";
      pool: string;
    };

export function Pools() {
  return (
    <Only to="pools_read" title="Pools">
      <Inside />
    </Only>
  );
}

function Inside() {
  const pools = useQuery(poolsQuery);
  const quotas = useQuery(quotasQuery);
  const images = useQuery(imagesQuery);
  const [dialogue, setDialogue] = useState<Dialogue | null>(null);
  const close = () => setDialogue(null);
  const me = useMe();
  const noImage =
    whyNot(me, "pools_make") ||
    (images.data?.length === 0 ? "There is no image yet: build or import one first" : "");
  const locked = whyNot(me, "pools_write");
  // Read from the list at each turn, so that an open dialogue shows what was just changed.
  const pool = dialogue && "pool" in dialogue ? pools.data?.find((p) => p.id === dialogue.pool) : undefined;
  const create = (
    <ReasonButton variant="primary" reason={noImage} onClick={() => setDialogue({ is: "new" })}>
      New pool
    </ReasonButton>
  );

  const createExternal = (
    <ReasonButton
      variant="secondary"
      reason={whyNot(me, "pools_make")}
      onClick={() => setDialogue({ is: "new-external" })}
    >
      New pool of machines
    </ReasonButton>
  );

  const isBookable = pools.data?.some((p) => p.kind === "floating" || p.kind === "ephemeral");

  return (
    <>
      <PageHead
        title="Pools"
        about="Desktops that are alike: one image, one size, one network. Or machines of others, by their addresses."
        actions={
          <>
            {create} {createExternal}{" "}
            <ReasonButton
              variant="secondary"
              reason={isBookable ? "" : "There is no pool of which desktops can be booked"}
              onClick={() => setDialogue({ is: "calendar" })}
            >
              Bookings of all pools
            </ReasonButton>
          </>
        }
      />
      <Loaded query={pools}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={CubesIcon} titleText="No pools yet" headingLevel="h2">
              <EmptyStateBody>
                {noImage
                  ? "A pool needs an image to clone its desktops from, and there is none yet."
                  : "Make one from an image; then add desktops for people."}
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>
                  {noImage ? (
                    <Button variant="primary" component={(p) => <Link {...p} to="/images" />}>
                      Go to images
                    </Button>
                  ) : (
                    create
                  )}
                </EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label="Pools" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap">Image</Th>
                  <Th modifier="nowrap">Each desktop</Th>
                  <Th modifier="nowrap">Network</Th>
                  <Th modifier="nowrap">Desktops</Th>
                  <Th modifier="nowrap">People</Th>
                  <Th screenReaderText="Add a desktop" />
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((p) => (
                  <Tr key={p.id}>
                    <Td dataLabel="Name">
                      <strong>{p.name}</strong>
                      {!isExternal(p) && <div className="about">{sizeWords(p)}</div>}
                      {rulesOf(p) && <div className="about">{rulesOf(p)}</div>}
                    </Td>
                    <Td dataLabel="Image">
                      {p.image ? (
                        <>
                          {p.image.name} <span className="about">version {p.image.version}</span>
                          {p.rollout && brief(p.rollout) && (
                            <div>
                              <Button
                                variant="link"
                                isInline
                                onClick={() => setDialogue({ is: "versions", pool: p.id })}
                                aria-label={`Roll-out of ${p.name}: ${brief(p.rollout)}`}
                              >
                                {brief(p.rollout)}
                              </Button>
                            </div>
                          )}
                        </>
                      ) : (
                        "External machines"
                      )}
                    </Td>
                    <Td dataLabel="Each desktop">
                      {isExternal(p)
                        ? "as it is"
                        : p.cloud
                          ? `flavor ${p.cloud.flavor}`
                          : `${count(p.vcpus, "CPU")} · ${memory(p.memory_mib)} · ${p.disk_gib} GiB disk`}
                      {p.gpu && ` · ${p.gpu.profile ?? `GPU ${p.gpu.mode}`}`}
                    </Td>
                    <Td dataLabel="Network">
                      {isExternal(p) ? (
                        "by address"
                      ) : p.cloud ? (
                        `${p.cloud.network} on ${p.cloud.cloud.name}`
                      ) : (
                        <NetworkWords network={p.network} />
                      )}
                    </Td>
                    <Td dataLabel="Desktops">
                      {p.desktops} <span className="about">of {p.desktops_max}</span>
                      {!isExternal(p) && freeWords(p) && <div className="about">{freeWords(p)}</div>}
                    </Td>
                    <Td dataLabel="People">
                      <ReasonButton
                        variant="link"
                        isInline
                        reason={locked}
                        onClick={() => setDialogue({ is: "people", pool: p.id })}
                        aria-label={`People with access to ${p.name}: ${whom(p)}`}
                      >
                        {whom(p)}
                      </ReasonButton>
                    </Td>
                    <Td className="row-button">
                      {isExternal(p) ? (
                        <Button
                          variant="secondary"
                          size="sm"
                          component={(props) => (
                            <Link {...props} to="/pools/$pool" params={{ pool: p.name }} />
                          )}
                          aria-label={`Machines of ${p.name}`}
                        >
                          Machines
                        </Button>
                      ) : (
                        <ReasonButton
                          variant="secondary"
                          size="sm"
                          reason={whyNot(me, "desktops_write") || full(p)}
                          onClick={() => setDialogue({ is: "add", pool: p.id })}
                          aria-label={`Add a desktop to ${p.name}`}
                        >
                          Add desktop
                        </ReasonButton>
                      )}
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={p.name}
                        actions={[
                          {
                            text: "Edit…",
                            reason: locked,
                            act: () => setDialogue({ is: "edit", pool: p.id }),
                          },
                          {
                            text: "Versions…",
                            reason: p.image
                              ? p.rollout
                                ? ""
                                : locked
                              : "Its machines are not of Oriel's making",
                            act: () => setDialogue({ is: "versions", pool: p.id }),
                          },
                          {
                            text: "People…",
                            reason: locked,
                            act: () => setDialogue({ is: "people", pool: p.id }),
                          },
                          {
                            text: "Programs…",
                            act: () => setDialogue({ is: "apps", pool: p.id }),
                          },
                          {
                            text: "Hosts…",
                            reason: p.kind === "session_host" ? "" : "Its desktops are for one person each",
                            act: () => setDialogue({ is: "hosts", pool: p.id }),
                          },
                          {
                            text: "Quota…",
                            reason:
                              locked ||
                              (isExternal(p) || p.kind === "session_host"
                                ? "Its machines are not given away"
                                : "") ||
                              (quotas.data ? "" : "Quotas are not loaded yet"),
                            act: () => setDialogue({ is: "quota", pool: p.id }),
                          },
                          {
                            text: "Bookings…",
                            reason:
                              p.kind === "floating" || p.kind === "ephemeral"
                                ? ""
                                : "Its desktops stay with the people who have them",
                            act: () => setDialogue({ is: "bookings", pool: p.id }),
                          },
                          {
                            text: p.maintenance ? "End maintenance…" : "Maintenance…",
                            reason: locked,
                            act: () => setDialogue({ is: "close", pool: p.id }),
                          },
                          {
                            text: "Delete…",
                            danger: true,
                            reason:
                              whyNot(me, "pools_make") ||
                              (p.desktops > 0
                                ? `It still holds ${count(p.desktops, isExternal(p) ? "machine" : "desktop")}`
                                : ""),
                            act: () => setDialogue({ is: "delete", pool: p.id }),
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
      {dialogue?.is === "new" && <PoolForm onClose={close} />}
      {dialogue?.is === "new-external" && <ExternalPoolForm onClose={close} />}
      {dialogue?.is === "edit" &&
        pool &&
        (isExternal(pool) ? (
          <ExternalPoolForm pool={pool} onClose={close} />
        ) : (
          <PoolForm pool={pool} onClose={close} />
        ))}
      {dialogue?.is === "versions" && pool && <Versions pool={pool} onClose={close} />}
      {dialogue?.is === "people" && pool && <People pool={pool} onClose={close} />}
      {dialogue?.is === "apps" && pool && <Apps pool={pool} locked={locked} onClose={close} />}
      {dialogue?.is === "hosts" && pool && (
        <Hosts pool={pool} locked={whyNot(me, "desktops_operate")} onClose={close} />
      )}
      {dialogue?.is === "quota" && pool && (
        <QuotaForm
          scope={{ of: "pool", id: pool.id, name: pool.name }}
          limits={limitsThere(quotas.data ?? [], { of: "pool", id: pool.id, name: pool.name })}
          onClose={close}
        />
      )}
      {dialogue?.is === "bookings" && pool && (
        <Agenda pool={pool} locked={whyNot(me, "desktops_write")} onClose={close} />
      )}
      {dialogue?.is === "calendar" && <Agenda locked={whyNot(me, "desktops_write")} onClose={close} />}
      {dialogue?.is === "add" && pool && <AddDesktop pool={pool} onClose={close} />}
      {dialogue?.is === "close" && pool && <ClosePool pool={pool} onClose={close} />}
      {dialogue?.is === "delete" && pool && <DeletePool pool={pool} onClose={close} />}
    </>
  );
}

/** For whom, and how many there always are. */
function sizeWords(p: Pool): string {
  const { min = 0, return_minutes: back = 5 } = p.size;
  const parts = [
    p.maintenance ? "in maintenance" : "",
    p.kind as string,
    min > 0 ? `at least ${min}` : "",
    p.kind === "dedicated" ? "" : `waits ${count(back, "minute")} for its person`,
    (p.hours.peaks ?? []).length === 0 ? "" : p.now.is_peak ? "peak now" : "off peak now",
  ];
  return parts.filter(Boolean).join(", ");
}

/** What is nobody's, of what there shall be. */
function freeWords(p: Pool): string {
  const { running_spares: running = 0, stopped_spares: stopped = 0 } = p.now.size;
  const of = (now: number, wanted: number, what: string) =>
    wanted > 0 ? `${now} of ${wanted} ${what}` : now > 0 ? `${now} ${what}` : "";
  const parts = [
    of(p.count.ready, running, "ready"),
    of(p.count.stopped, stopped, "off"),
    of(p.count.on_their_way, 0, "on the way"),
    of(p.count.failed, 0, "failed"),
  ];
  return parts.filter(Boolean).join(", ");
}

/** What is not as usual about connections. */
function rulesOf(p: Pool): string {
  const rules = summary(p.policy);
  const parts = [
    p.recording === "off" ? "" : p.recording === "ask" ? "recorded when agreed" : "recorded",
    rules === "as usual" ? "" : rules,
  ];
  return parts.filter(Boolean).join(", ");
}

/** Whom a pool lets in, in words. */
function whom(p: Pool): string {
  const people = p.users.length > 0 ? count(p.users.length, "person", "people") : "";
  const groups = p.groups.length > 0 ? count(p.groups.length, "group") : "";
  return [people, groups].filter(Boolean).join(", ") || "nobody yet";
}

const full = (p: Pool) =>
  p.desktops >= p.desktops_max ? `It holds its ${p.desktops_max} already: raise the limit with Edit` : "";

function NetworkWords({ network }: { network: Schemas["Network"] }) {
  if (network.kind === "nat") return <>NAT: {network.network}</>;
  if (network.kind === "bridge") return <>Bridge: {network.bridge}</>;
  return <>Isolated</>;
}

function DeletePool({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  return (
    <Confirm
      title={`Delete the pool ${pool.name}?`}
      verb="Delete pool"
      do={() => answer(client.DELETE("/api/v1/pools/{id}", { params: { path: { id: pool.id } } }))}
      touches={["pools", "groups"]}
      good={() => `The pool ${pool.name} was deleted`}
      onClose={onClose}
    >
      <p>
        <strong>Its settings are lost</strong>
        {pool.users.length + pool.groups.length > 0 && ` and ${whom(pool)} lose access to it`}. It holds
        nothing{pool.image ? ", and its image stays" : ""}.
      </p>
    </Confirm>
  );
}
