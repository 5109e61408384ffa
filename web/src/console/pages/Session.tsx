/** One connection, as a helpdesk looks at it: who, whence, how their log-on went, how far away they are, and what can be done. */
import {
  Breadcrumb,
  BreadcrumbItem,
  Card,
  CardBody,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  EmptyState,
  EmptyStateBody,
  PageSection,
} from "@patternfly/react-core";
import PlugIcon from "@patternfly/react-icons/dist/esm/icons/plug-icon";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { asProblem } from "../../api/problem";
import { Chart } from "../parts/Chart";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { When } from "../parts/When";
import { sessionQuery } from "../queries";
import { may, mayIn, type Permission } from "../roles";
import { latencyWords } from "../session";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { KINDS } from "../words";
import { End } from "./sessions/End";
import { Phases } from "./sessions/Phases";
import { Say } from "./sessions/Say";
import { Shadow } from "./sessions/Shadow";

/** The longest of so many milliseconds is one point. */
const TRIP_MS = 10_000;
const HOUR_MS = 3_600_000;

export function Session() {
  const id = useParams({ from: "/sessions/$session" }).session;
  return (
    <Only to="sessions_read" title="Session">
      <Inside id={id} />
    </Only>
  );
}

function Inside({ id }: { id: string }) {
  const query = useQuery(sessionQuery(id));
  const over = query.error !== null && asProblem(query.error).status === 404;
  return (
    <>
      <Breadcrumb className="crumbs">
        <BreadcrumbItem>
          <Link to="/sessions">Sessions</Link>
        </BreadcrumbItem>
        <BreadcrumbItem isActive>{query.data?.session.user.name ?? "Session"}</BreadcrumbItem>
      </Breadcrumb>
      {over ? (
        <>
          <PageHead title="Session" />
          <PageSection isFilled>
            <EmptyState icon={PlugIcon} titleText="This connection has ended" headingLevel="h2">
              <EmptyStateBody>
                The audit says who opened it and who ended it, and a recording shows it where its pool has
                some.
              </EmptyStateBody>
            </EmptyState>
          </PageSection>
        </>
      ) : query.data ? (
        <Of detail={query.data}>
          <Loaded query={query}>{(detail) => <Seen detail={detail} />}</Loaded>
        </Of>
      ) : (
        <>
          <PageHead title="Session" />
          <Loaded query={query}>{() => null}</Loaded>
        </>
      )}
    </>
  );
}

type Detail = Schemas["SessionDetail"];

function Of({ detail, children }: { detail: Detail; children: ReactNode }) {
  const { session, pool } = detail;
  const me = useMe();
  const [open, setOpen] = useState<"say" | "shadow" | "restart" | "end" | null>(null);
  const close = () => setOpen(null);
  const locked = (to: Permission) =>
    (pool ? mayIn(me, to, pool.id) : may(me, to)) ? "" : "Your role does not include this for its pool";
  const own = session.user.id === me.id ? "This is your own connection" : "";
  const { user, desktop } = session;
  return (
    <>
      <PageHead
        title={`${user.name}: ${desktop.name}`}
        about={
          <>
            {KINDS[session.kind].title} over {KINDS[session.kind].protocol}, since{" "}
            <When at={session.started_at} />.
          </>
        }
        actions={
          <>
            <ReasonButton
              variant="primary"
              reason={locked("sessions_end") || (session.viewers === 0 ? "Nobody looks at it now" : "")}
              onClick={() => setOpen("say")}
            >
              Message
            </ReasonButton>
            <ReasonButton
              variant="secondary"
              reason={locked("sessions_shadow") || own}
              onClick={() => setOpen("shadow")}
            >
              Shadow
            </ReasonButton>
            <ReasonButton
              variant="secondary"
              reason={
                locked("desktops_operate") ||
                (detail.is_external ? "Oriel neither starts nor stops this machine" : "")
              }
              onClick={() => setOpen("restart")}
            >
              Restart desktop
            </ReasonButton>
            <ReasonButton
              variant="secondary"
              isDanger
              reason={locked("sessions_end")}
              onClick={() => setOpen("end")}
            >
              Disconnect
            </ReasonButton>
          </>
        }
      />
      {children}
      {open === "say" && <Say session={session} onClose={close} />}
      {open === "shadow" && <Shadow session={session} onClose={close} />}
      {open === "end" && <End session={session} onClose={close} />}
      {open === "restart" && (
        <Confirm
          title={`Restart ${desktop.name}?`}
          verb="Restart desktop"
          do={() =>
            answer(client.POST("/api/v1/desktops/{id}/restart", { params: { path: { id: desktop.id } } }))
          }
          touches={["sessions", "session", "desktops"]}
          good={() => `${desktop.name} is restarting`}
          onClose={close}
        >
          <p>
            {desktop.name} shuts down and starts again. {user.name} is disconnected, and what is not saved is
            lost.
          </p>
        </Confirm>
      )}
    </>
  );
}

function Seen({ detail }: { detail: Detail }) {
  const { session } = detail;
  const rows: ReadonlyArray<readonly [string, ReactNode]> = [
    ["Person", session.user.name],
    ["Desktop", session.desktop.name],
    ["Pool", detail.pool?.name ?? "a pool that is gone"],
    ["Stands on", detail.is_external ? "a machine of its own" : (detail.host ?? "not known")],
    ["Comes from", detail.address ?? "not known"],
    ["Viewers", session.viewers === 0 ? "waiting to come back" : session.viewers],
    [
      "With them",
      session.guests.length === 0 ? "nobody" : session.guests.map((guest) => guest.user.name).join(", "),
    ],
    [
      "Traffic",
      `${session.mbit_s.toFixed(1)} Mbit/s${session.kind === "ssh" ? "" : `, ${Math.round(session.fps)} fps`}`,
    ],
  ];
  const trips = detail.round_trips.map(({ at, ms }) => ({ at: Date.parse(at), value: Math.round(ms) }));
  const to = trips.at(-1)?.at ?? 0;
  const from = Math.max(to - HOUR_MS, Math.min(trips[0]?.at ?? 0, to - 5 * 60_000));
  return (
    <div className="dash-grid">
      <Card isFullHeight>
        <CardTitle component="h2">Connection</CardTitle>
        <CardBody>
          <DescriptionList isCompact isHorizontal horizontalTermWidthModifier={{ default: "8rem" }}>
            {rows.map(([term, text]) => (
              <DescriptionListGroup key={term}>
                <DescriptionListTerm>{term}</DescriptionListTerm>
                <DescriptionListDescription className="wrap">{text}</DescriptionListDescription>
              </DescriptionListGroup>
            ))}
          </DescriptionList>
        </CardBody>
      </Card>
      <Card isFullHeight>
        <CardTitle component="h2">Log-on</CardTitle>
        <CardBody>
          <Phases
            phases={detail.log_on}
            label="Parts of the log-on"
            nothing="Nothing is known of this log-on."
          />
        </CardBody>
      </Card>
      <Card isFullHeight>
        <CardTitle component="h2">Round trip</CardTitle>
        <CardBody className="stack">
          <Chart
            title="Round trip between the person’s browser and Oriel"
            from={from}
            to={to}
            step={TRIP_MS}
            least={50}
            unit=" ms"
            nothing="The person’s page has not said yet how far away it is."
            lines={[{ name: "Longest of ten seconds", tone: "main", points: trips }]}
          />
          {trips.length > 0 && <p>{latencyWords(detail.round_trips)}</p>}
        </CardBody>
      </Card>
      {!detail.is_external && (
        <Card isFullHeight>
          <CardTitle component="h2">Last start of the desktop</CardTitle>
          <CardBody>
            <Phases
              phases={detail.start}
              label="Parts of the start"
              nothing="Nothing is known of when it started."
            />
          </CardBody>
        </Card>
      )}
    </div>
  );
}
