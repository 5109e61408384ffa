/** What a BMC can do for its machine beside power: its virtual drives, and what the machine starts from next. */
import { Flex, FlexItem } from "@patternfly/react-core";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { inDrives, SOURCES, startsFrom } from "./board-words";

interface Props {
  machine: { id: string; name: string };
  board: Schemas["DeviceBoard"];
  /** Why this person changes nothing, or "". */
  locked: string;
}

export function Drives({ machine, board, locked }: Props) {
  const params = { path: { id: machine.id } };
  const [url, setUrl] = useState("");
  const [as, setAs] = useState("cd");
  const drive = useAct({
    do: (body: Schemas["DeviceDriveChange"]) =>
      answer(client.POST("/api/v1/machines/{id}/device/drive", { params, body })),
    touches: ["device", "audit"],
    good: (device) =>
      device.board?.media.some((one) => one.inserted) ? "The machine sees the drive" : "The drives are empty",
  });
  const full = board.media.some((one) => one.inserted);
  const why = locked || (board.media.length > 0 ? "" : "The BMC has no virtual drives");

  return (
    <div className="stack">
      <ul>
        {board.media.map((one) => (
          <li key={one.id} className="wrap">
            {inDrives(one)}
          </li>
        ))}
      </ul>
      <div className="media-drive">
        <Field
          label="Image's address"
          value={url}
          onChange={setUrl}
          placeholder="https://mirror.example/debian.iso"
          help="The BMC itself fetches it while the machine reads it"
        />
        <Choice
          label="As"
          value={as}
          onChange={setAs}
          options={[
            ["cd", "A CD"],
            ["stick", "A stick, to be read only"],
          ]}
        />
      </div>
      <Flex>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            reason={why || (url.trim() ? "" : "Enter an address first")}
            isDisabled={drive.isPending}
            onClick={() =>
              drive.mutate({ image: url.trim(), cdrom: as === "cd", writable: false, connected: true })
            }
          >
            Insert
          </ReasonButton>
        </FlexItem>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            reason={why || (full ? "" : "Nothing is in it")}
            isDisabled={drive.isPending}
            onClick={() => drive.mutate({ image: null, cdrom: true, writable: false, connected: false })}
          >
            Eject
          </ReasonButton>
        </FlexItem>
      </Flex>
      <ProblemAlert error={drive.error} />
    </div>
  );
}

export function NextStart({ machine, board, locked }: Props) {
  const [from, setFrom] = useState<Schemas["DeviceBootSource"]>("cd");
  const sources = SOURCES.filter(([source]) => board.boot?.sources.includes(source));
  const boot = useAct({
    do: (source: Schemas["DeviceBootSource"]) =>
      answer(
        client.POST("/api/v1/machines/{id}/device/boot/{source}", {
          params: { path: { id: machine.id, source } },
        }),
      ),
    touches: ["device", "audit"],
    good: () => "The BMC was told; it holds for the next start alone",
  });
  const chosen = sources.some(([source]) => source === from) ? from : (sources[0]?.[0] ?? "normal");

  return (
    <div className="stack">
      <p>{startsFrom(board.boot)}</p>
      <Choice
        label="At its next start, from"
        value={chosen}
        onChange={(to) => setFrom(to as Schemas["DeviceBootSource"])}
        options={sources}
      />
      <Flex>
        <FlexItem>
          <ReasonButton
            variant="secondary"
            reason={locked}
            isDisabled={boot.isPending}
            onClick={() => boot.mutate(chosen)}
          >
            Set for one start
          </ReasonButton>
        </FlexItem>
      </Flex>
      <ProblemAlert error={boot.error} />
    </div>
  );
}
