/** Connections that are open right now. */
import { EmptyState, EmptyStateBody } from "@patternfly/react-core";
import PlugIcon from "@patternfly/react-icons/dist/esm/icons/plug-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { enumerate } from "../../viewer/people";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { When } from "../parts/When";
import { sessionsQuery } from "../queries";
import { useMe, useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { KINDS } from "../words";
import { End } from "./sessions/End";
import { Shadow } from "./sessions/Shadow";

type Session = Schemas["Session"];

const guestName = (guest: Schemas["SessionGuest"]) =>
  guest.helper
    ? `${guest.user.name} (administrator)`
    : guest.unverified
      ? `${guest.user.name} (guest, not verified)`
      : guest.user.name;

export function Sessions() {
  return (
    <Only to="sessions_read" title="Sessions">
      <Inside />
    </Only>
  );
}

function Inside() {
  const sessions = useQuery(sessionsQuery);
  const me = useMe();
  const noLooking = useWhyNot("sessions_shadow");
  const noEnding = useWhyNot("sessions_end");
  const [doomed, setDoomed] = useState<Session | null>(null);
  const [seen, setSeen] = useState<Session | null>(null);

  return (
    <>
      <PageHead title="Sessions" about="Connections that are open right now." />
      <Loaded query={sessions}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={PlugIcon} titleText="Nobody is connected" headingLevel="h2">
              <EmptyStateBody>
                When someone opens a desktop, a console or a shell, it shows here.
              </EmptyStateBody>
            </EmptyState>
          ) : (
            <Table aria-label="Sessions" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Person</Th>
                  <Th modifier="nowrap">Desktop</Th>
                  <Th modifier="nowrap">What</Th>
                  <Th modifier="nowrap">Viewers</Th>
                  <Th modifier="nowrap">Traffic</Th>
                  <Th modifier="nowrap">Since</Th>
                  <Th screenReaderText="End" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((session) => (
                  <Tr key={session.id}>
                    <Td dataLabel="Person">
                      <strong>
                        <Link to="/sessions/$session" params={{ session: session.id }}>
                          {session.user.name}
                        </Link>
                      </strong>
                    </Td>
                    <Td dataLabel="Desktop">{session.desktop.name}</Td>
                    <Td dataLabel="What">
                      {KINDS[session.kind].title}{" "}
                      <span className="about">{KINDS[session.kind].protocol}</span>
                    </Td>
                    <Td dataLabel="Viewers">
                      {session.viewers === 0 ? (
                        <span className="about">waiting to come back</span>
                      ) : (
                        <>
                          {session.viewers}
                          {session.guests.length > 0 && (
                            <span className="about"> · with {enumerate(session.guests.map(guestName))}</span>
                          )}
                        </>
                      )}
                    </Td>
                    <Td dataLabel="Traffic" className="numbers">
                      {session.mbit_s.toFixed(1)} Mbit/s
                      {session.kind !== "ssh" && (
                        <span className="about"> · {Math.round(session.fps)} fps</span>
                      )}
                    </Td>
                    <Td dataLabel="Since">
                      <When at={session.started_at} />
                    </Td>
                    <Td className="row-button">
                      <ReasonButton
                        variant="secondary"
                        size="sm"
                        reason={noLooking || (session.user.id === me.id ? "This is your own connection" : "")}
                        onClick={() => setSeen(session)}
                        aria-label={`Look on at the connection of ${session.user.name} to ${session.desktop.name}`}
                      >
                        Shadow
                      </ReasonButton>{" "}
                      <ReasonButton
                        variant="secondary"
                        isDanger
                        size="sm"
                        reason={noEnding}
                        onClick={() => setDoomed(session)}
                        aria-label={`End the connection of ${session.user.name} to ${session.desktop.name}`}
                      >
                        End
                      </ReasonButton>
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {seen && <Shadow session={seen} onClose={() => setSeen(null)} />}
      {doomed && <End session={doomed} onClose={() => setDoomed(null)} />}
    </>
  );
}
