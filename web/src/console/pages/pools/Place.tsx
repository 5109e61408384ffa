/** On which host or cloud a new pool stands, and what its desktops are made of there. */
import { Radio } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import type { Schemas } from "../../../api/client";
import { Choice } from "../../parts/Field";
import { Loaded } from "../../parts/Loaded";
import { cloudOfferQuery } from "../../queries";
import { memory } from "../../words";
import { addressesOf, freeWords, HERE, networksOf, type PlaceDraft } from "./place";

interface PlaceProps {
  value: PlaceDraft;
  onChange: (value: PlaceDraft) => void;
  clouds: Schemas["Cloud"][];
  /** Which image the pool is made of. */
  image: string;
}

export function Place({ value, onChange, clouds, image }: PlaceProps) {
  const cloud = clouds.find((one) => one.id === value.cloud);
  if (clouds.length === 0) return null;
  const lacks = cloud && image && !cloud.images.some((one) => one.image.id === image);
  return (
    <>
      <Choice
        label="Stands on"
        value={value.cloud}
        onChange={(to) => onChange({ ...HERE, cloud: to })}
        options={[["", "This host"], ...clouds.map((one) => [one.id, `Cloud ${one.name}`] as const)]}
        help={
          lacks
            ? `${cloud.name} does not have this image yet: bring it there from the page Clouds`
            : "It stays there"
        }
      />
      {cloud && <Offer value={value} onChange={onChange} cloud={cloud} />}
    </>
  );
}

function Offer({
  value,
  onChange,
  cloud,
}: Omit<PlaceProps, "clouds" | "image"> & { cloud: Schemas["Cloud"] }) {
  const offer = useQuery(cloudOfferQuery(cloud.id));
  const group = useId();
  return (
    <Loaded query={offer} bare>
      {({ flavors, networks }) => (
        <>
          <Table aria-label={`Flavors of ${cloud.name}`} variant="compact">
            <Thead>
              <Tr>
                <Th modifier="nowrap">Flavor</Th>
                <Th modifier="nowrap">CPUs</Th>
                <Th modifier="nowrap">Memory</Th>
                <Th modifier="nowrap">Disk</Th>
                <Th modifier="nowrap">GPU</Th>
                <Th modifier="nowrap">Free</Th>
              </Tr>
            </Thead>
            <Tbody>
              {flavors.map((one) => (
                <Tr key={one.id}>
                  <Td dataLabel="Flavor">
                    <Radio
                      id={`${group}-${one.id}`}
                      name={group}
                      label={one.name}
                      isChecked={value.flavor === one.name}
                      onChange={() => onChange({ ...value, flavor: one.name })}
                    />
                  </Td>
                  <Td dataLabel="CPUs">{one.vcpus}</Td>
                  <Td dataLabel="Memory">{memory(one.memory_mib)}</Td>
                  <Td dataLabel="Disk">{one.disk_gib} GiB</Td>
                  <Td dataLabel="GPU">{one.gpu ?? "none"}</Td>
                  <Td dataLabel="Free">{freeWords(one)}</Td>
                </Tr>
              ))}
            </Tbody>
          </Table>
          {flavors.length === 0 && (
            <p className="about">The project may use no flavor: ask the cloud's admin.</p>
          )}
          <Choice
            label="Network on the cloud"
            value={value.network}
            onChange={(network) => onChange({ ...value, network })}
            options={networksOf(networks)}
            help="Oriel's server needs a way there to reach desktops by RDP and SSH"
          />
          {value.network !== "none" && networks.some((one) => one.external) && (
            <Choice
              label="Address of each desktop"
              value={value.floating}
              onChange={(floating) => onChange({ ...value, floating })}
              options={addressesOf(networks)}
              help="A floating one leads to the desktop from outside, and costs what the cloud asks"
            />
          )}
          <Choice
            label="Disk of each desktop"
            value={value.root}
            onChange={(root) => onChange({ ...value, root: root === "volume" ? "volume" : "image" })}
            options={[
              ["image", "On its host, as the flavor says"],
              ["volume", "A volume, as large as the flavor's disk"],
            ]}
          />
        </>
      )}
    </Loaded>
  );
}
