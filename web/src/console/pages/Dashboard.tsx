/** The service at a glance: what an administrator looks at first. */
import { Card, CardBody, CardTitle, ToggleGroup, ToggleGroupItem } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { lineOf, sparesWords } from "../dashboard";
import { Chart } from "../parts/Chart";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { dashboardQuery } from "../queries";
import { PageHead } from "../shell/PageHead";
import { count } from "../words";
import { Failures } from "./dashboard/Failures";
import { Cards, Places } from "./dashboard/Places";
import { PoolNumbers } from "./dashboard/PoolNumbers";
import { Reconcilers } from "./host/Reconcilers";

const DAY = 24;
const WEEK = 7 * 24;

export function Dashboard() {
  return (
    <Only to="host_read" title="Dashboard">
      <Inside />
    </Only>
  );
}

function Inside() {
  const [hours, setHours] = useState(DAY);
  const dashboard = useQuery(dashboardQuery(hours));
  return (
    <>
      <PageHead
        title="Dashboard"
        about="How things stand, and how they stood."
        actions={
          <ToggleGroup aria-label="How far back">
            <ToggleGroupItem text="Last day" isSelected={hours === DAY} onChange={() => setHours(DAY)} />
            <ToggleGroupItem text="Last week" isSelected={hours === WEEK} onChange={() => setHours(WEEK)} />
          </ToggleGroup>
        }
      />
      <Loaded query={dashboard}>{(seen) => <Seen seen={seen} hours={hours} />}</Loaded>
    </>
  );
}

function Seen({ seen, hours }: { seen: Schemas["Dashboard"]; hours: number }) {
  const { now } = seen;
  const to = Date.parse(now.at);
  const time = { from: to - hours * 3_600_000, to, step: seen.history_minutes * 60_000 };
  const history = seen.history.length > 0 ? [...seen.history, now] : [];
  // The last point of the history is of the same minutes as now.
  const line = (of: "in_use" | "running" | "spares" | "spares_wanted" | "gpu_units" | "failed") =>
    lineOf(history, of);
  const nothing = "Nothing is known yet: a minute after the server began there is a first point.";
  return (
    <div className="stack">
      <ul className="dash-numbers" aria-label="Now">
        <Figure
          title="Sessions"
          number={seen.sessions}
          about={`of ${count(seen.people, "person", "people")}`}
          to="/sessions"
        />
        <Figure
          title="Desktops in use"
          number={now.in_use}
          about={`${now.running} on, of ${now.desktops}`}
          to="/pools"
        />
        <Figure title="Spares" number={now.spares} about={sparesWords(seen)} to="/pools" />
        <Figure
          title="GPU units held"
          number={now.gpu_units}
          about={count(seen.gpus.length, "card")}
          to="/gpus"
        />
        <Figure
          title="Failures"
          number={seen.failures.length}
          about={seen.failures.length === 0 ? "nothing needs you" : "below, with what to do"}
          isBad={seen.failures.length > 0}
        />
      </ul>
      <div className="dash-grid">
        <Card isFullHeight>
          <CardTitle component="h2">Desktops</CardTitle>
          <CardBody>
            <Chart
              {...time}
              title="Desktops in use and on"
              nothing={nothing}
              lines={[
                { name: "In use", tone: "main", points: line("in_use") },
                { name: "On", tone: "beside", points: line("running") },
              ]}
            />
          </CardBody>
        </Card>
        <Card isFullHeight>
          <CardTitle component="h2">Running spares</CardTitle>
          <CardBody>
            <Chart
              {...time}
              title="Running spares, there and wanted"
              nothing={nothing}
              lines={[
                { name: "There", tone: "main", points: line("spares") },
                { name: "Wanted", tone: "wanted", points: line("spares_wanted") },
              ]}
            />
          </CardBody>
        </Card>
        {seen.gpus.length > 0 && (
          <Card isFullHeight>
            <CardTitle component="h2">GPUs</CardTitle>
            <CardBody className="stack">
              <Chart
                {...time}
                title="Units of GPUs that desktops hold"
                nothing={nothing}
                lines={[{ name: "Units held", tone: "main", points: line("gpu_units") }]}
              />
              <Cards gpus={seen.gpus} />
            </CardBody>
          </Card>
        )}
        <Card isFullHeight>
          <CardTitle component="h2">Failures</CardTitle>
          <CardBody className="stack">
            <Failures list={seen.failures} />
          </CardBody>
        </Card>
        <Card isFullHeight>
          <CardTitle component="h2">Hosts and clouds</CardTitle>
          <CardBody>
            <Places hosts={seen.hosts} />
          </CardBody>
        </Card>
        <Card isFullHeight>
          <CardTitle component="h2">Background work</CardTitle>
          <CardBody>
            <Reconcilers list={[...seen.reconcilers].sort(failingFirst)} />
          </CardBody>
        </Card>
      </div>
      <section aria-labelledby="of-pools" className="stack">
        <h2 id="of-pools" className="section-title">
          Pools
        </h2>
        <PoolNumbers pools={seen.pools} />
      </section>
    </div>
  );
}

const failingFirst = (a: Schemas["Reconciler"], b: Schemas["Reconciler"]) =>
  Number(b.last_error !== null) - Number(a.last_error !== null) || a.name.localeCompare(b.name);

interface FigureProps {
  title: string;
  number: number;
  about: string;
  to?: "/sessions" | "/pools" | "/gpus";
  isBad?: boolean;
}

function Figure({ title, number, about, to, isBad }: FigureProps) {
  return (
    <li>
      <Card isCompact isFullHeight>
        <CardBody>
          <p className="about">{to ? <Link to={to}>{title}</Link> : title}</p>
          <p className={isBad ? "dash-number error-text" : "dash-number"}>{number.toLocaleString("en")}</p>
          <p className="about">{about}</p>
        </CardBody>
      </Card>
    </li>
  );
}
