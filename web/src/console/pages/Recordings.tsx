/** What was seen on connections, kept: played in a tab of its own, downloaded, deleted. */
import { Button, EmptyState, EmptyStateBody, Label, PageSection } from "@patternfly/react-core";
import VideoIcon from "@patternfly/react-icons/dist/esm/icons/video-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { RowActions } from "../parts/Row";
import { playerHref } from "../parts/viewer";
import { When } from "../parts/When";
import { recordingQuery, recordingsQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { bytes, KINDS, length, RECORDING_STATES } from "../words";
import { Export } from "./recordings/Export";
import { Filter, NOTHING } from "./recordings/Filter";

type Recording = Schemas["Recording"];

export function Recordings() {
  return (
    <Only to="recordings_read" title="Recordings">
      <Inside />
    </Only>
  );
}

function Inside() {
  const [filter, setFilter] = useState(NOTHING);
  const recordings = useInfiniteQuery(recordingsQuery(filter));
  const [doomed, setDoomed] = useState<Recording | null>(null);
  const { export: exported } = useSearch({ from: "/recordings" });
  const navigate = useNavigate();
  const show = (id?: string) =>
    void navigate({ to: "/recordings", search: id ? { export: id } : {}, replace: true });
  // It may be older than what is listed.
  const chosen = useQuery(recordingQuery(exported ?? "")).data;

  return (
    <>
      <PageHead title="Recordings" about="What was seen on connections of pools that record them." />
      <PageSection>
        <Filter onChange={setFilter} />
      </PageSection>
      <Loaded query={recordings}>
        {(list) =>
          list.length === 0 && filter !== NOTHING && Object.values(filter).some(Boolean) ? (
            <EmptyState icon={VideoIcon} titleText="Nothing like this was recorded" headingLevel="h2" />
          ) : list.length === 0 ? (
            <EmptyState icon={VideoIcon} titleText="Nothing was recorded yet" headingLevel="h2">
              <EmptyStateBody>
                A pool says whether connections to its desktops are recorded: edit one to begin.
              </EmptyStateBody>
            </EmptyState>
          ) : (
            <Table aria-label="Recordings" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Desktop</Th>
                  <Th modifier="nowrap">Person</Th>
                  <Th modifier="nowrap">What</Th>
                  <Th modifier="nowrap">State</Th>
                  <Th modifier="nowrap">Length</Th>
                  <Th modifier="nowrap">Size</Th>
                  <Th modifier="nowrap">Began</Th>
                  <Th screenReaderText="Play" />
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((recording) => (
                  <Row
                    key={recording.id}
                    recording={recording}
                    onExport={() => show(recording.id)}
                    onDelete={() => setDoomed(recording)}
                  />
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {recordings.hasNextPage && (
        <PageSection>
          <Button
            variant="secondary"
            isLoading={recordings.isFetchingNextPage}
            onClick={() => recordings.fetchNextPage()}
          >
            Show older ones
          </Button>
        </PageSection>
      )}
      {exported && chosen && <Export recording={chosen} onClose={() => show()} />}
      {doomed && (
        <Confirm
          title={`Delete the recording of ${doomed.desktop.name}?`}
          verb="Delete recording"
          do={() => answer(client.DELETE("/api/v1/recordings/{id}", { params: { path: { id: doomed.id } } }))}
          touches={["recordings"]}
          good={() => `The recording of ${doomed.desktop.name} was deleted`}
          onClose={() => setDoomed(null)}
        >
          <p>
            {length(doomed.duration_ms)} of {doomed.user.name} on {doomed.desktop.name} are gone for good.
          </p>
        </Confirm>
      )}
    </>
  );
}

/** Where it lies, when that is a bucket or is about to be one. */
function KeptIn({ recording }: { recording: Recording }) {
  if (recording.bucket) {
    return (
      <Label isCompact title={`Moved to ${recording.bucket}`}>
        bucket
      </Label>
    );
  }
  if (recording.moved_bytes === 0) return null;
  const part = Math.min(99, Math.floor((recording.moved_bytes / Math.max(1, recording.bytes)) * 100));
  return <span className="about">moving to the bucket, {part} %</span>;
}

function Row({
  recording,
  onExport,
  onDelete,
}: {
  recording: Recording;
  onExport: () => void;
  onDelete: () => void;
}) {
  const locked = useWhyNot("recordings_write");
  const { text, about, tone } = RECORDING_STATES[recording.state];
  const of = `the recording of ${recording.user.name} on ${recording.desktop.name}`;
  return (
    <Tr>
      <Td dataLabel="Desktop">
        <strong>{recording.desktop.name}</strong> <span className="about">{recording.pool.name}</span>
      </Td>
      <Td dataLabel="Person">{recording.user.name}</Td>
      <Td dataLabel="What">
        {KINDS[recording.kind].title} <span className="about">{KINDS[recording.kind].protocol}</span>
      </Td>
      <Td dataLabel="State">
        <Label color={tone} isCompact title={about}>
          {text}
        </Label>
      </Td>
      <Td dataLabel="Length" className="numbers">
        {length(recording.duration_ms)}
      </Td>
      <Td dataLabel="Size" className="numbers">
        {bytes(recording.bytes)} <KeptIn recording={recording} />
      </Td>
      <Td dataLabel="Began">
        <When at={recording.started_at} />
      </Td>
      <Td className="row-button">
        <Button
          variant="secondary"
          size="sm"
          component="a"
          href={playerHref(recording.id)}
          target="_blank"
          rel="noreferrer"
          aria-label={`Play ${of}`}
        >
          Play
        </Button>
      </Td>
      <Td isActionCell>
        <RowActions
          of={of}
          actions={[
            { text: "Export", act: onExport },
            {
              text: "Download",
              act: () => {
                location.href = `/api/v1/recordings/${encodeURIComponent(recording.id)}/content`;
              },
            },
            {
              text: "Delete",
              danger: true,
              reason:
                locked ||
                (recording.state === "recording"
                  ? "It is still being written: end the connection first"
                  : ""),
              act: onDelete,
            },
          ]}
        />
      </Td>
    </Tr>
  );
}
