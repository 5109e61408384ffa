/** "Update image from this desktop": says what becomes of it, and begins. */
import { Alert } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field, Tick } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { imagesQuery } from "../../queries";
import { nameFault } from "../../words";

export function CaptureDesktop({ desktop, onClose }: { desktop: Schemas["Desktop"]; onClose: () => void }) {
  const [image, setImage] = useState(desktop.facts.image.split(":")[0] ?? "");
  const [unsealed, setUnsealed] = useState(desktop.state === "stopped");
  const used = desktop.connections > 0 || desktop.state === "in_use";
  const [force, setForce] = useState(false);
  const images = useQuery(imagesQuery);
  const versions = images.data?.filter((one) => one.name === image).map((one) => one.version) ?? [];
  const next = Math.max(0, ...versions) + 1;
  const begin = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/desktops/{id}/capture", {
          params: { path: { id: desktop.id } },
          body: { image, unsealed, force },
        }),
      ),
    touches: ["desktops", "operations", "images"],
    good: (operation) => `${operation.title} has begun`,
    more: (operation) => (
      <Link to="/operations" search={{ id: operation.id }}>
        Watch its progress
      </Link>
    ),
    after: onClose,
  });
  const reason =
    nameFault(image) ||
    (image ? "" : "Say which image gets the version") ||
    (used && !force ? "Somebody is in it: tick that they may be cut off" : "") ||
    (desktop.state === "stopped" && !unsealed
      ? "It is off: start it, so that it can be told to forget who it is"
      : "");

  return (
    <FormModal
      title={`Make an image of ${desktop.name}?`}
      about="What is on its disk becomes a version of an image, which pools are then brought to by a roll-out."
      verb="Make image"
      reason={reason}
      busy={begin.isPending}
      error={begin.error}
      onSend={() => begin.mutate()}
      onClose={onClose}
    >
      <Alert variant="warning" isInline isPlain title="It is sealed and shut down">
        {!unsealed && (
          <p>
            Its system forgets who it is. <strong>Lost on this desktop:</strong> its machine id and host keys,
            what was typed into shells, and the account
            {desktop.owner ? ` of ${desktop.owner.name}` : ""} with all files in its home. A personal disk is
            not part of the image, and keeps what it holds.
          </p>
        )}
        <p>
          Nobody gets in until the copy is made. Then it starts again and sets itself up anew; in a pool whose
          desktops go from person to person it is made anew.
        </p>
      </Alert>
      <Field
        label="Image"
        value={image}
        onChange={setImage}
        fault={nameFault(image)}
        help={next > 1 ? `It becomes version ${next}` : "A new image"}
        required
        autoFocus
      />
      <Tick
        label="Copy it as it is"
        help="For systems that forget by themselves who they are. Otherwise two machines would be the same one"
        value={unsealed}
        onChange={setUnsealed}
      />
      {used && (
        <Tick
          label="Cut off whoever is in it"
          help="They are told before, with a countdown"
          value={force}
          onChange={setForce}
        />
      )}
    </FormModal>
  );
}
