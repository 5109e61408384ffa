/** How far a webhook or a receiver of syslog is in the audit, and why it is not further. */
import { Label } from "@patternfly/react-core";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { When } from "../../parts/When";
import { standing } from "../../webhook";

type Told = Pick<Schemas["Webhook"], "behind" | "failures" | "next_try_at" | "last_error" | "lost">;

export function Deliveries({ of }: { of: Told }) {
  const { text, tone } = standing(of);
  return (
    <>
      <Label isCompact color={tone}>
        {text}
      </Label>
      {of.failures > 0 && of.behind > 0 && <span className="about"> · {of.behind} to come</span>}
      {of.next_try_at && (
        <span className="about">
          {" "}
          · next try <When at={of.next_try_at} />
        </span>
      )}
      {of.last_error && <p className="error-text">{sentence(of.last_error)}</p>}
      {of.lost > 0 && <p className="about">{of.lost} were never told: it was too far behind.</p>}
    </>
  );
}
