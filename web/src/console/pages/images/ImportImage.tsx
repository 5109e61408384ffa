import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { nameFault, SHA256 } from "../../words";

export function ImportImage({ onClose }: { onClose: () => void }) {
  const [from, setFrom] = useState("");
  const [name, setName] = useState("");
  const [sum, setSum] = useState("");
  const [os, setOs] = useState<Schemas["ImageOs"]>("linux");
  const bring = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/images/import", {
          body: { from: from.trim(), name, os, sha256: sum.trim().toLowerCase() || null },
        }),
      ),
    touches: ["operations", "images"],
    good: (operation) => `${operation.title} has begun`,
    more: (operation) => (
      <Link to="/operations" search={{ id: operation.id }}>
        Watch its progress
      </Link>
    ),
    after: onClose,
  });
  const remote = from.trim().startsWith("https://");
  const fromFault =
    from.trim() === "" || remote || from.trim().startsWith("/")
      ? ""
      : "Use an absolute path on the server, or an https:// address";
  const sumFault = sum.trim() === "" || SHA256.test(sum.trim()) ? "" : "A SHA-256 has 64 hexadecimal digits";
  const reason =
    fromFault ||
    sumFault ||
    nameFault(name) ||
    (from.trim() ? "" : "Say where the disk is") ||
    (name ? "" : "Give it a name");

  return (
    <FormModal
      title="Import an image"
      about="A qcow2 or raw disk, or a cloud image. It is checked before anything uses it."
      verb="Import"
      reason={reason}
      busy={bring.isPending}
      error={bring.error}
      onSend={() => bring.mutate()}
      onClose={onClose}
    >
      <Field
        label="From"
        value={from}
        onChange={setFrom}
        fault={fromFault}
        help="An absolute path on the server, or an https:// address"
        placeholder="/srv/images/studio.qcow2"
        required
        autoFocus
      />
      <Field
        label="Name"
        value={name}
        onChange={setName}
        fault={nameFault(name)}
        placeholder="studio"
        required
      />
      <Field
        label="SHA-256"
        value={sum}
        onChange={setSum}
        fault={sumFault}
        help={
          remote
            ? "Recommended: without it, nothing says that the download is what its maker published"
            : "Optional: what the file must be"
        }
      />
      <Choice
        label="System inside"
        value={os}
        onChange={(value) => setOs(value as Schemas["ImageOs"])}
        options={[
          ["linux", "Linux"],
          ["windows", "Windows"],
          ["other", "Other"],
        ]}
      />
    </FormModal>
  );
}
