/** Asks a provider what it is and whether it knows us, and says what to enter there; changes nothing. */
import {
  Alert,
  ClipboardCopy,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from "@patternfly/react-core";
import { answer, client, type Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { useAct } from "../../act";
import { FormModal } from "../../parts/FormModal";

export function TestProvider({ provider, onClose }: { provider: Schemas["Provider"]; onClose: () => void }) {
  const test = useAct({
    do: () => answer(client.POST("/api/v1/providers/{id}/test", { params: { path: { id: provider.id } } })),
    touches: [],
  });
  return (
    <FormModal
      title={`Test ${provider.name}`}
      about="Asks it what it is, and whether it knows Oriel. Nothing is changed."
      verb="Test"
      reason=""
      busy={test.isPending}
      error={test.error}
      onSend={() => test.mutate()}
      onClose={onClose}
    >
      <DescriptionList isCompact aria-label="What to enter at the provider">
        <Row term="Where browsers come back to (enter this at the provider)">
          <ClipboardCopy isReadOnly hoverTip="Copy" clickTip="Copied" textAriaLabel="Callback address">
            {location.origin + provider.callback_path}
          </ClipboardCopy>
        </Row>
      </DescriptionList>
      {test.data && <Said said={test.data} />}
    </FormModal>
  );
}

function Said({ said }: { said: Schemas["ProviderAnswer"] }) {
  return (
    <>
      {said.client_refused ? (
        <Alert isInline isLiveRegion variant="warning" title="It does not know us">
          {sentence(said.client_refused)}
        </Alert>
      ) : (
        <Alert isInline isLiveRegion variant="success" title="It answers, and knows us" />
      )}
      <DescriptionList isCompact isHorizontal aria-label="What the provider says of itself">
        <Row term="People sign in at">{said.authorization_endpoint}</Row>
        <Row term="Tokens are at">{said.token_endpoint}</Row>
        <Row term="Signed with">{said.algorithms.join(", ")}</Row>
        <Row term="PKCE">{said.knows_pkce ? "known there" : "used, and not named there"}</Row>
      </DescriptionList>
    </>
  );
}

function Row({ term, children }: { term: string; children: React.ReactNode }) {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{term}</DescriptionListTerm>
      <DescriptionListDescription className="wrap">{children}</DescriptionListDescription>
    </DescriptionListGroup>
  );
}
