/** The drive that the device offers to the machine, and the images of its storage. */
import { Flex, FlexItem, Label } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { Choice } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { bytes } from "../../words";
import { Bring } from "./Bring";

interface Props {
  machine: { id: string; name: string };
  storage: Schemas["DeviceStorage"];
  transfer: Schemas["DeviceTransfer"] | null;
  /** Why this person changes nothing, or "". */
  locked: string;
}

/** What the machine sees the image as. */
type As = "cd" | "stick" | "writable";
const AS: ReadonlyArray<readonly [As, string]> = [
  ["cd", "A CD"],
  ["stick", "A stick, to be read only"],
  ["writable", "A stick that the machine may write to"],
];

export function Media({ machine, storage, transfer, locked }: Props) {
  const params = { path: { id: machine.id } };
  const [image, setImage] = useState(storage.image ?? "");
  const [as, setAs] = useState<As>("cd");
  const [gone, setGone] = useState("");
  const drive = useAct({
    do: (body: Schemas["DeviceDriveChange"]) =>
      answer(client.POST("/api/v1/machines/{id}/device/drive", { params, body })),
    touches: ["device", "audit"],
    good: (device) => (device.storage?.connected ? "The machine sees the drive" : "The drive is empty"),
  });
  const images = storage.images.filter((one) => one.complete).map((one) => [one.name, one.name] as const);
  const chosen = images.some(([name]) => name === image) ? image : "";
  const busy = storage.online ? (storage.busy ? "The storage is busy" : "") : "The storage does not answer";
  const why = locked || busy;
  const kind = storage.cdrom ? "a CD" : storage.writable ? "a stick that it may write to" : "a stick";

  return (
    <div className="stack">
      <p>
        {storage.image ? (
          <>
            In the drive: <strong className="wrap">{storage.image}</strong>,{" "}
            {storage.connected ? `which the machine sees as ${kind}` : "not connected"}.
          </>
        ) : (
          "The drive is empty."
        )}{" "}
        <span className="about">
          {bytes(storage.free)} of {bytes(storage.size)} are free.
        </span>
      </p>
      <div className="media-drive">
        <Choice
          label="In its drive"
          value={chosen}
          onChange={setImage}
          options={[["", "Nothing"], ...images]}
        />
        <Choice label="As" value={as} onChange={(to) => setAs(to as As)} options={AS} />
      </div>
      <Flex>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            reason={why || (chosen ? "" : "Choose an image first")}
            isDisabled={drive.isPending}
            onClick={() =>
              drive.mutate({
                image: chosen,
                cdrom: as === "cd",
                writable: as === "writable",
                connected: true,
              })
            }
          >
            Insert
          </ReasonButton>
        </FlexItem>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            reason={why || (storage.image ? "" : "Nothing is in it")}
            isDisabled={drive.isPending}
            onClick={() => drive.mutate({ image: null, cdrom: true, writable: false, connected: false })}
          >
            Eject
          </ReasonButton>
        </FlexItem>
      </Flex>
      <ProblemAlert error={drive.error} />
      <Table aria-label={`Images of ${machine.name}`} variant="compact">
        <Thead>
          <Tr>
            <Th>Image</Th>
            <Th modifier="nowrap">Size</Th>
            <Th screenReaderText="Actions" />
          </Tr>
        </Thead>
        <Tbody>
          {storage.images.map((one) => (
            <Tr key={one.name}>
              <Td dataLabel="Image" className="wrap">
                {one.name}{" "}
                {!one.complete && (
                  <Label isCompact color="orange">
                    incomplete
                  </Label>
                )}
              </Td>
              <Td dataLabel="Size">{bytes(one.size)}</Td>
              <Td isActionCell>
                <RowActions
                  of={one.name}
                  actions={[
                    {
                      text: "Delete…",
                      danger: true,
                      reason:
                        why ||
                        (storage.connected && storage.image === one.name
                          ? "It is in the drive: eject it first"
                          : ""),
                      act: () => setGone(one.name),
                    },
                  ]}
                />
              </Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
      {storage.images.length === 0 && <p className="about">No image is in its storage.</p>}
      <Bring machine={machine} transfer={transfer} locked={locked} />
      {gone && (
        <Confirm
          title={`Delete ${gone}?`}
          verb="Delete image"
          do={() =>
            answer(
              client.DELETE("/api/v1/machines/{id}/device/images", {
                params: { ...params, query: { name: gone } },
              }),
            )
          }
          touches={["device", "audit"]}
          good={() => `${gone} was deleted`}
          onClose={() => setGone("")}
        >
          It is deleted from the storage of the device.
        </Confirm>
      )}
    </div>
  );
}
