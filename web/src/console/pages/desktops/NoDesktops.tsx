/** Nothing here yet: for people, whom to ask; for admins, the way from nothing to a first desktop. */
import {
  Button,
  Card,
  CardBody,
  CardTitle,
  EmptyState,
  EmptyStateBody,
  Skeleton,
} from "@patternfly/react-core";
import CheckCircleIcon from "@patternfly/react-icons/dist/esm/icons/check-circle-icon";
import DesktopIcon from "@patternfly/react-icons/dist/esm/icons/desktop-icon";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { imagesQuery, operationsQuery, poolsQuery } from "../../queries";
import { useMe } from "../../shell/me";

export function NoDesktops({ all }: { all: boolean }) {
  const me = useMe();
  if (me.role === "admin") return <Guide all={all} />;
  return (
    <EmptyState icon={DesktopIcon} titleText="No desktops yet" headingLevel="h2">
      <EmptyStateBody>
        Nobody has given you a desktop. Ask an admin to add one for you; it then appears here by itself.
      </EmptyStateBody>
    </EmptyState>
  );
}

function Guide({ all }: { all: boolean }) {
  const images = useQuery(imagesQuery);
  const pools = useQuery(poolsQuery);
  const operations = useQuery(operationsQuery);
  if (images.isPending || pools.isPending) return <Skeleton height="14rem" screenreaderText="Loading" />;
  const hasImage = (images.data?.length ?? 0) > 0;
  const hasPool = (pools.data?.length ?? 0) > 0;
  const building = operations.data?.find((o) => o.state === "running" || o.state === "queued");
  const now = hasPool ? 3 : hasImage ? 2 : 1;

  return (
    <section aria-labelledby="guide">
      <h2 id="guide" className="guide-title">
        {all ? "There are no desktops yet" : "You have no desktop yet"}
      </h2>
      <p className="about">Three steps lead to one. Each takes a minute of yours.</p>
      <ol className="guide">
        <Step
          n={1}
          now={now}
          title="Get an image"
          text={
            building && !hasImage
              ? `${building.title}: ${Math.round(building.progress * 100)} %. The next step opens when it is done.`
              : "The golden disk that desktops are cloned from: built from a recipe, or imported."
          }
        >
          {building && !hasImage ? (
            <Button variant="primary" component={(p) => <Link {...p} to="/operations" />}>
              Watch it
            </Button>
          ) : (
            <Button variant="primary" component={(p) => <Link {...p} to="/images" />}>
              Go to images
            </Button>
          )}
        </Step>
        <Step
          n={2}
          now={now}
          title="Make a pool"
          text="Desktops that are alike: one image, one size, one network."
        >
          <Button variant="primary" component={(p) => <Link {...p} to="/pools" />}>
            Go to pools
          </Button>
        </Step>
        <Step n={3} now={now} title="Add a desktop" text="From the pool, for yourself or for someone else.">
          <Button variant="primary" component={(p) => <Link {...p} to="/pools" />}>
            Add a desktop
          </Button>
        </Step>
      </ol>
    </section>
  );
}

interface StepProps {
  n: number;
  now: number;
  title: string;
  text: string;
  children: React.ReactNode;
}

function Step({ n, now, title, text, children }: StepProps) {
  const done = n < now;
  return (
    <li aria-current={n === now ? "step" : undefined}>
      <Card isFullHeight className={n === now ? "guide-now" : "guide-other"}>
        <CardTitle component="h3">
          <span className="guide-number" aria-hidden="true">
            {done ? <CheckCircleIcon /> : n}
          </span>
          {title}
          {done && <span className="pf-v6-screen-reader"> (done)</span>}
        </CardTitle>
        <CardBody>
          <p>{text}</p>
          {n === now && <div className="guide-act">{children}</div>}
        </CardBody>
      </Card>
    </li>
  );
}
