/** Addresses that are told of what is done, and whether they take it. */
import { EmptyState, EmptyStateBody } from "@patternfly/react-core";
import ShareSquareIcon from "@patternfly/react-icons/dist/esm/icons/share-square-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { useAct } from "../act";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { Secret } from "../parts/Secret";
import { When } from "../parts/When";
import { webhooksQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { Deliveries } from "./webhooks/Deliveries";
import { NewWebhook } from "./webhooks/NewWebhook";

type Webhook = Schemas["Webhook"];

export function Webhooks() {
  return (
    <Only to="audit_read" title="Webhooks">
      <Inside />
    </Only>
  );
}

function Inside() {
  const webhooks = useQuery(webhooksQuery);
  const locked = useWhyNot("webhooks_write");
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Schemas["WebhookMade"] | null>(null);
  const [doomed, setDoomed] = useState<Webhook | null>(null);
  return (
    <>
      <PageHead
        title="Webhooks"
        about="Addresses that are told of what is done, in signed messages, as the audit has it."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setAdding(true)}>
            New webhook
          </ReasonButton>
        }
      />
      <Loaded query={webhooks}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={ShareSquareIcon} titleText="Nobody is told" headingLevel="h2">
              <EmptyStateBody>
                A webhook sends what people do here to a chat, a log or a program of yours.
              </EmptyStateBody>
            </EmptyState>
          ) : (
            <Table aria-label="Webhooks" variant="compact">
              <Thead>
                <Tr>
                  <Th>Address</Th>
                  <Th>Told of</Th>
                  <Th modifier="nowrap">Deliveries</Th>
                  <Th modifier="nowrap">Made</Th>
                  <Th screenReaderText="Test and remove" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((webhook) => (
                  <Tr key={webhook.id}>
                    <Td dataLabel="Address" className="wrap">
                      <strong>{webhook.url}</strong>
                    </Td>
                    <Td dataLabel="Told of" className="wrap">
                      {webhook.events.length === 0 ? "Everything" : webhook.events.join(", ")}
                    </Td>
                    <Td dataLabel="Deliveries" className="wrap">
                      <Deliveries of={webhook} />
                    </Td>
                    <Td dataLabel="Made" modifier="nowrap">
                      <When at={webhook.created_at} />
                    </Td>
                    <Td className="row-button">
                      <Test webhook={webhook} locked={locked} />{" "}
                      <ReasonButton
                        variant="secondary"
                        isDanger
                        size="sm"
                        reason={locked}
                        onClick={() => setDoomed(webhook)}
                        aria-label={`Remove the webhook to ${webhook.url}`}
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
      {adding && (
        <NewWebhook
          onMade={(fresh) => {
            setAdding(false);
            setMade(fresh);
          }}
          onClose={() => setAdding(false)}
        />
      )}
      {made && (
        <Secret
          title="The webhook is there"
          label="Secret of the webhook"
          secret={made.secret}
          onClose={() => setMade(null)}
        >
          Each message to {made.webhook.url} is signed with this secret: whoever gets it can tell that it
          comes from here.
        </Secret>
      )}
      {doomed && (
        <Confirm
          title="Remove this webhook?"
          verb="Remove webhook"
          do={() => answer(client.DELETE("/api/v1/webhooks/{id}", { params: { path: { id: doomed.id } } }))}
          touches={["webhooks"]}
          good={() => "The webhook was removed"}
          onClose={() => setDoomed(null)}
        >
          <p className="wrap">
            {doomed.url} is told of nothing any more, also not of what waits for it. Its secret is gone with
            it.
          </p>
        </Confirm>
      )}
    </>
  );
}

function Test({ webhook, locked }: { webhook: Webhook; locked: string }) {
  const test = useAct({
    do: () => answer(client.POST("/api/v1/webhooks/{id}/test", { params: { path: { id: webhook.id } } })),
    touches: ["webhooks"],
    good: () => `${webhook.url} took a message`,
    bad: () => "The message was not taken",
  });
  return (
    <ReasonButton
      variant="secondary"
      size="sm"
      reason={locked}
      isLoading={test.isPending}
      onClick={() => test.mutate()}
      aria-label={`Test the webhook to ${webhook.url}`}
    >
      Test
    </ReasonButton>
  );
}
