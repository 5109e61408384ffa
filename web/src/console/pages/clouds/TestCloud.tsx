/** Asks a cloud what works there and what does not; changes nothing. */
import { Button } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "../../../api/client";
import { Dialogue } from "../../parts/Dialogue";
import { Loaded } from "../../parts/Loaded";
import { cloudFindingsQuery } from "../../queries";
import { Findings } from "../host/Findings";

export function TestCloud({ cloud, onClose }: { cloud: Schemas["Cloud"]; onClose: () => void }) {
  const findings = useQuery(cloudFindingsQuery(cloud.id));
  return (
    <Dialogue
      title={`What the doctor finds on ${cloud.name}`}
      about="Asked from the server, with what is kept for it. Nothing is changed there."
      variant="medium"
      stack
      onClose={onClose}
      buttons={
        <>
          <Button
            variant="secondary"
            isLoading={findings.isFetching}
            isDisabled={findings.isFetching}
            onClick={() => void findings.refetch()}
          >
            Examine again
          </Button>
          <Button variant="link" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <Loaded query={findings} bare>
        {(list) => <Findings list={list} />}
      </Loaded>
    </Dialogue>
  );
}
