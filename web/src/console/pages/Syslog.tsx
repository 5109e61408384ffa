/** Receivers of syslog that are told of what is done, and whether they take it. */
import { EmptyState, EmptyStateBody, Label } from "@patternfly/react-core";
import BullhornIcon from "@patternfly/react-icons/dist/esm/icons/bullhorn-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { useAct } from "../act";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { When } from "../parts/When";
import { syslogsQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { isPrivate } from "../syslog";
import { NewSyslog } from "./syslog/NewSyslog";
import { Deliveries } from "./webhooks/Deliveries";

type Receiver = Schemas["Syslog"];

export function Syslog() {
  return (
    <Only to="audit_read" title="Syslog">
      <Inside />
    </Only>
  );
}

function Inside() {
  const receivers = useQuery(syslogsQuery);
  const locked = useWhyNot("webhooks_write");
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<Receiver | null>(null);
  return (
    <>
      <PageHead
        title="Syslog"
        about="Receivers that get a message for each row of the audit."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setAdding(true)}>
            New receiver
          </ReasonButton>
        }
      />
      <Loaded query={receivers}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={BullhornIcon} titleText="No receiver is told" headingLevel="h2">
              <EmptyStateBody>
                A receiver of syslog keeps what people do here beside the logs of other machines.
              </EmptyStateBody>
            </EmptyState>
          ) : (
            <Table aria-label="Receivers of syslog" variant="compact">
              <Thead>
                <Tr>
                  <Th>Receiver</Th>
                  <Th>Filed under</Th>
                  <Th>Told of</Th>
                  <Th modifier="nowrap">Deliveries</Th>
                  <Th modifier="nowrap">Made</Th>
                  <Th screenReaderText="Test and remove" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((receiver) => (
                  <Tr key={receiver.id}>
                    <Td dataLabel="Receiver" className="wrap">
                      <strong>{receiver.target}</strong>{" "}
                      {!isPrivate(receiver.target) && (
                        <Label isCompact color="orange">
                          Not encrypted
                        </Label>
                      )}
                    </Td>
                    <Td dataLabel="Filed under" className="wrap">
                      {receiver.facility}, {receiver.app_name}
                    </Td>
                    <Td dataLabel="Told of" className="wrap">
                      {receiver.events.length === 0 ? "Everything" : receiver.events.join(", ")}
                    </Td>
                    <Td dataLabel="Deliveries" className="wrap">
                      <Deliveries of={receiver} />
                    </Td>
                    <Td dataLabel="Made" modifier="nowrap">
                      <When at={receiver.created_at} />
                    </Td>
                    <Td className="row-button">
                      <Test receiver={receiver} locked={locked} />{" "}
                      <ReasonButton
                        variant="secondary"
                        isDanger
                        size="sm"
                        reason={locked}
                        onClick={() => setDoomed(receiver)}
                        aria-label={`Remove the receiver ${receiver.target}`}
                      >
                        Remove
                      </ReasonButton>
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {adding && <NewSyslog onClose={() => setAdding(false)} />}
      {doomed && (
        <Confirm
          title="Remove this receiver?"
          verb="Remove receiver"
          do={() => answer(client.DELETE("/api/v1/syslogs/{id}", { params: { path: { id: doomed.id } } }))}
          touches={["syslogs"]}
          good={() => "The receiver was removed"}
          onClose={() => setDoomed(null)}
        >
          <p className="wrap">{doomed.target} is told of nothing any more, also not of what waits for it.</p>
        </Confirm>
      )}
    </>
  );
}

function Test({ receiver, locked }: { receiver: Receiver; locked: string }) {
  const test = useAct({
    do: () => answer(client.POST("/api/v1/syslogs/{id}/test", { params: { path: { id: receiver.id } } })),
    touches: ["syslogs"],
    good: () => `${receiver.target} took a message, as far as can be known`,
    bad: () => "The message was not taken",
  });
  return (
    <ReasonButton
      variant="secondary"
      size="sm"
      reason={locked}
      isLoading={test.isPending}
      onClick={() => test.mutate()}
      aria-label={`Test the receiver ${receiver.target}`}
    >
      Test
    </ReasonButton>
  );
}
