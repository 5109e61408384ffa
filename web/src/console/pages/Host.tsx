/** The machine that runs the desktops: facts, what the doctor finds, and how the background work goes. */
import {
  Alert,
  Card,
  CardBody,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Grid,
  GridItem,
} from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "../../api/client";
import { sentence } from "../../api/problem";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { doctorQuery, hostQuery, reconcilersQuery, secretsQuery } from "../queries";
import { PageHead } from "../shell/PageHead";
import { bytes, memory } from "../words";
import { Findings } from "./host/Findings";
import { Reconcilers } from "./host/Reconcilers";
import { Sealing } from "./host/Sealing";

export function Host() {
  return (
    <Only to="host_read" title="Host">
      <Inside />
    </Only>
  );
}

function Inside() {
  const host = useQuery(hostQuery);
  const doctor = useQuery(doctorQuery);
  const reconcilers = useQuery(reconcilersQuery);
  const secrets = useQuery(secretsQuery);
  return (
    <>
      <PageHead
        title="Host"
        about="The machine that runs the desktops."
        actions={
          <ReasonButton
            variant="secondary"
            reason=""
            isLoading={doctor.isFetching}
            onClick={() => void doctor.refetch()}
          >
            Examine again
          </ReasonButton>
        }
      />
      <Loaded query={host}>
        {(facts) => (
          <div className="stack">
            <Verdict accelerator={facts.accelerator} />
            <Grid hasGutter xl={6}>
              <GridItem>
                <Card isFullHeight>
                  <CardTitle component="h2">{facts.name}</CardTitle>
                  <CardBody>
                    <Facts facts={facts} />
                  </CardBody>
                </Card>
              </GridItem>
              <GridItem>
                <Card isFullHeight>
                  <CardTitle component="h2">Background work</CardTitle>
                  <CardBody>
                    <Loaded query={reconcilers} bare>
                      {(list) => <Reconcilers list={list} />}
                    </Loaded>
                  </CardBody>
                </Card>
              </GridItem>
            </Grid>
            <Card>
              <CardTitle component="h2">Secrets at rest</CardTitle>
              <CardBody>
                <Loaded query={secrets} bare>
                  {(standing) => <Sealing secrets={standing} />}
                </Loaded>
              </CardBody>
            </Card>
            <section aria-labelledby="doctor" className="stack">
              <h2 id="doctor" className="section-title">
                What the doctor finds
              </h2>
              <Loaded query={doctor} bare>
                {(list) => <Findings list={list} />}
              </Loaded>
            </section>
          </div>
        )}
      </Loaded>
    </>
  );
}

function Verdict({ accelerator }: { accelerator: Schemas["HostAccelerator"] }) {
  if (accelerator.kind === "kvm") {
    return (
      <Alert
        variant="success"
        isInline
        component="h2"
        title="Desktops run at full speed: hardware virtualisation works"
      >
        {sentence(accelerator.reason)}
      </Alert>
    );
  }
  return (
    <Alert
      variant="warning"
      isInline
      component="h2"
      title="Desktops run slower: this host emulates them in software"
    >
      {sentence(accelerator.reason)}
    </Alert>
  );
}

function Facts({ facts }: { facts: Schemas["Host"] }) {
  const rows: Array<readonly [string, string]> = [
    ["System", facts.os],
    ["Kernel", `${facts.kernel}, ${facts.arch}`],
    ["Processor", `${facts.cpus} × ${facts.cpu_model}`],
    ["Memory", memory(facts.memory_mib)],
    ["Free disk", bytes(facts.free_disk_bytes)],
    ["Libvirt", facts.libvirt_version ?? "not there"],
    ["QEMU", facts.qemu_version ?? "not there"],
    ["Reached at", facts.uri],
  ];
  return (
    <DescriptionList isCompact isHorizontal horizontalTermWidthModifier={{ default: "8rem" }}>
      {rows.map(([term, text]) => (
        <DescriptionListGroup key={term}>
          <DescriptionListTerm>{term}</DescriptionListTerm>
          <DescriptionListDescription className="wrap">{text}</DescriptionListDescription>
        </DescriptionListGroup>
      ))}
    </DescriptionList>
  );
}
