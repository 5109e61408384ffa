/** Somebody else's engines on which pools stand: OpenStack. */
import {
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
  Label,
} from "@patternfly/react-core";
import CloudIcon from "@patternfly/react-icons/dist/esm/icons/cloud-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { sentence } from "../../api/problem";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { RowActions } from "../parts/Row";
import { When } from "../parts/When";
import { cloudsQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { count } from "../words";
import { CloudForm } from "./clouds/CloudForm";
import { CloudImages, Uploads } from "./clouds/CloudImages";
import { ReachForm } from "./clouds/ReachForm";
import { TestCloud } from "./clouds/TestCloud";

type Cloud = Schemas["Cloud"];
type Open = { is: "new" } | { is: "edit" | "test" | "images" | "reach" | "remove"; cloud: string };

export function Clouds() {
  return (
    <Only to="host_read" title="Clouds">
      <Inside />
    </Only>
  );
}

function Inside() {
  const clouds = useQuery(cloudsQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  const locked = useWhyNot("clouds_write");
  // Read from the list at each turn, so that an open dialogue shows what was just changed.
  const cloud = open && "cloud" in open ? clouds.data?.find((one) => one.id === open.cloud) : undefined;
  return (
    <>
      <PageHead
        title="Clouds"
        about="OpenStacks on which pools can stand, where one machine is outgrown."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setOpen({ is: "new" })}>
            Add a cloud
          </ReasonButton>
        }
      />
      <Loaded query={clouds}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={CloudIcon} titleText="No clouds yet" headingLevel="h2">
              <EmptyStateBody>
                Desktops stand on this host. Add a project of an OpenStack, and pools can stand there, too.
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>
                  <ReasonButton variant="secondary" reason={locked} onClick={() => setOpen({ is: "new" })}>
                    Add the first
                  </ReasonButton>
                </EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label="Clouds" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap">State</Th>
                  <Th modifier="nowrap">Address</Th>
                  <Th modifier="nowrap">Region</Th>
                  <Th modifier="nowrap">Desktops</Th>
                  <Th modifier="nowrap">Images</Th>
                  <Th modifier="nowrap">Last look</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((one) => (
                  <Tr key={one.id}>
                    <Td dataLabel="Name" modifier="nowrap">
                      <strong>{one.name}</strong>
                      {one.pools.length > 0 && (
                        <div className="about">{one.pools.map((pool) => pool.name).join(", ")}</div>
                      )}
                    </Td>
                    <Td dataLabel="State" className="wrap">
                      <State cloud={one} />
                    </Td>
                    <Td dataLabel="Address" className="wrap">
                      {one.address}
                      {one.reach.jump && (
                        <div className="about">
                          desktops through {one.reach.jump.user}@{one.reach.jump.host}
                        </div>
                      )}
                    </Td>
                    <Td dataLabel="Region">{one.region ?? "its only one"}</Td>
                    <Td dataLabel="Desktops">{one.desktops}</Td>
                    <Td dataLabel="Images" className="wrap">
                      {one.images.map((image) => `${image.image.name}:${image.image.version}`).join(", ") ||
                        "none yet"}
                      <Uploads cloud={one} />
                    </Td>
                    <Td dataLabel="Last look" modifier="nowrap">
                      <When at={one.looked?.at} />
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={one.name}
                        actions={[
                          {
                            text: "Examine…",
                            reason: locked,
                            act: () => setOpen({ is: "test", cloud: one.id }),
                          },
                          { text: "Images…", act: () => setOpen({ is: "images", cloud: one.id }) },
                          {
                            text: "Reach…",
                            reason: locked,
                            act: () => setOpen({ is: "reach", cloud: one.id }),
                          },
                          {
                            text: "Sign in anew…",
                            reason: locked,
                            act: () => setOpen({ is: "edit", cloud: one.id }),
                          },
                          {
                            text: "Remove…",
                            danger: true,
                            reason:
                              locked ||
                              (one.pools.length > 0
                                ? `${count(one.pools.length, "pool stands", "pools stand")} on it`
                                : ""),
                            act: () => setOpen({ is: "remove", cloud: one.id }),
                          },
                        ]}
                      />
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {open?.is === "new" && (
        <CloudForm onClose={close} onMade={(made) => setOpen({ is: "test", cloud: made.id })} />
      )}
      {open?.is === "edit" && cloud && <CloudForm cloud={cloud} onClose={close} onMade={close} />}
      {open?.is === "test" && cloud && <TestCloud cloud={cloud} onClose={close} />}
      {open?.is === "reach" && cloud && <ReachForm cloud={cloud} onClose={close} />}
      {open?.is === "images" && cloud && <CloudImages cloud={cloud} onClose={close} />}
      {open?.is === "remove" && cloud && (
        <Confirm
          title={`Remove the cloud ${cloud.name}?`}
          verb="Remove cloud"
          do={() => answer(client.DELETE("/api/v1/clouds/{id}", { params: { path: { id: cloud.id } } }))}
          touches={["clouds"]}
          good={() => `The cloud ${cloud.name} was removed`}
          onClose={close}
        >
          <p>
            <strong>How Oriel signs in there is lost</strong>, and which images it has. No pool stands on it;
            images that were uploaded stay there.
          </p>
        </Confirm>
      )}
    </>
  );
}

function State({ cloud }: { cloud: Cloud }) {
  if (!cloud.looked) {
    return (
      <Label isCompact color="grey">
        Not looked at yet
      </Label>
    );
  }
  if (cloud.looked.problem === null) {
    return (
      <Label isCompact color="green">
        Answers
      </Label>
    );
  }
  return (
    <>
      <Label isCompact color="red">
        Does not answer
      </Label>
      <div className="about">{sentence(cloud.looked.problem)}</div>
    </>
  );
}
