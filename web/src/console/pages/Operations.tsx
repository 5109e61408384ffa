/** Long jobs: how far they are, what they say, and stopping or resuming them. */
import {
  Alert,
  Card,
  CardBody,
  CardHeader,
  CardTitle,
  EmptyState,
  EmptyStateBody,
  ExpandableSection,
  Flex,
  Label,
  Progress,
  ProgressSize,
} from "@patternfly/react-core";
import ClipboardListIcon from "@patternfly/react-icons/dist/esm/icons/clipboard-list-icon";
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { sentence } from "../../api/problem";
import { useAct } from "../act";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { When } from "../parts/When";
import { operationsQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { count, type Tone } from "../words";

type Operation = Schemas["Operation"];

const STATES: Record<Operation["state"], { text: string; tone: Tone }> = {
  queued: { text: "Waiting", tone: "grey" },
  running: { text: "Running", tone: "blue" },
  done: { text: "Done", tone: "green" },
  failed: { text: "Failed", tone: "red" },
  cancelled: { text: "Cancelled", tone: "orange" },
};

export function Operations() {
  return (
    <Only to="operations_read" title="Operations">
      <Inside />
    </Only>
  );
}

function Inside() {
  const operations = useQuery(operationsQuery);
  const { id } = useSearch({ from: "/operations" });
  return (
    <>
      <PageHead
        title="Operations"
        about="Long jobs. They go on when this page is closed, and survive a restart of Oriel."
      />
      <Loaded query={operations}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={ClipboardListIcon} titleText="Nothing has been run yet" headingLevel="h2">
              <EmptyStateBody>Building or importing an image shows up here, with its log.</EmptyStateBody>
            </EmptyState>
          ) : (
            <ul className="operations" aria-label="Operations">
              {[...list].sort(newestFirst).map((operation) => (
                <li key={operation.id}>
                  <OperationCard operation={operation} chosen={operation.id === id} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </>
  );
}

const newestFirst = (a: Operation, b: Operation) => b.created_at.localeCompare(a.created_at);

function OperationCard({ operation: o, chosen }: { operation: Operation; chosen: boolean }) {
  const [open, setOpen] = useState(chosen);
  const locked = useWhyNot("operations_write");
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!chosen) return;
    setOpen(true);
    card.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const params = { params: { path: { id: o.id } } };
  const cancel = useAct({
    do: () => answer(client.POST("/api/v1/operations/{id}/cancel", params)),
    touches: ["operations"],
    good: () => `${o.title} is being cancelled`,
    bad: () => `Could not cancel ${o.title}`,
  });
  const resume = useAct({
    do: () => answer(client.POST("/api/v1/operations/{id}/resume", params)),
    touches: ["operations"],
    good: () => `${o.title} goes on`,
    bad: () => `Could not resume ${o.title}`,
  });
  const active = o.state === "running" || o.state === "queued";
  const state = STATES[o.state];

  return (
    <div ref={card}>
      <Card isCompact component="article" aria-labelledby={`o-${o.id}`}>
        <CardHeader
          actions={{
            hasNoOffset: true,
            actions: active ? (
              <ReasonButton
                variant="secondary"
                size="sm"
                reason={locked}
                isLoading={cancel.isPending}
                onClick={() => cancel.mutate()}
                aria-label={`Cancel ${o.title}`}
              >
                Cancel
              </ReasonButton>
            ) : (
              (o.state === "cancelled" || o.state === "failed") && (
                <ReasonButton
                  variant="secondary"
                  size="sm"
                  reason={locked}
                  isLoading={resume.isPending}
                  onClick={() => resume.mutate()}
                  aria-label={`Resume ${o.title}`}
                >
                  Resume
                </ReasonButton>
              )
            ),
          }}
        >
          <Flex columnGap={{ default: "columnGapSm" }} rowGap={{ default: "rowGapXs" }}>
            <CardTitle component="h2" id={`o-${o.id}`}>
              {o.title}
            </CardTitle>
            <Label isCompact color={state.tone}>
              {state.text}
            </Label>
          </Flex>
          <p className="about">
            {o.by ? `By ${o.by.name}, ` : ""}
            <When at={o.created_at} />
            {!active && o.changed_at !== o.created_at && (
              <>
                , ended <When at={o.changed_at} />
              </>
            )}
          </p>
        </CardHeader>
        <CardBody className="stack">
          {active && (
            <Progress
              value={Math.round(o.progress * 100)}
              title={o.step || "Waiting for its turn"}
              aria-label={`Progress of ${o.title}`}
              size={ProgressSize.sm}
            />
          )}
          {o.error && (
            <Alert variant="danger" isInline component="h3" title={sentence(o.error)} className="wrap" />
          )}
          {o.log.length > 0 && (
            <ExpandableSection
              toggleText={open ? "Hide the log" : `Show the log (${count(o.log.length, "line")})`}
              isExpanded={open}
              onToggle={(_, to) => setOpen(to)}
            >
              <Log lines={o.log} of={o.title} />
            </ExpandableSection>
          )}
        </CardBody>
      </Card>
    </div>
  );
}

function Log({ lines, of }: { lines: string[]; of: string }) {
  const box = useRef<HTMLElement>(null);
  const follow = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines scroll into view, unless the reader scrolled up
  useEffect(() => {
    if (follow.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <section
      ref={box}
      className="log"
      aria-label={`Log of ${of}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
      tabIndex={0}
      onScroll={(event) => {
        const it = event.currentTarget;
        follow.current = it.scrollHeight - it.scrollTop - it.clientHeight < 40;
      }}
    >
      {lines.join("\n")}
    </section>
  );
}
