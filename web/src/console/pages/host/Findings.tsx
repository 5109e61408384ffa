/** The doctor's findings, worst first: reason, evidence, fix to copy, and what backs it. */
import { ClipboardCopy, ExpandableSection, Label } from "@patternfly/react-core";
import CheckCircleIcon from "@patternfly/react-icons/dist/esm/icons/check-circle-icon";
import ExclamationCircleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon";
import ExclamationTriangleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon";
import InfoCircleIcon from "@patternfly/react-icons/dist/esm/icons/info-circle-icon";
import { useState } from "react";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { count } from "../../words";

type Finding = Schemas["Finding"];

const GROUPS = [
  { severity: "error", title: "Broken", one: "error", icon: <ExclamationCircleIcon />, open: true },
  {
    severity: "warning",
    title: "Worth fixing",
    one: "warning",
    icon: <ExclamationTriangleIcon />,
    open: true,
  },
  { severity: "note", title: "Good to know", one: "note", icon: <InfoCircleIcon />, open: true },
  { severity: "ok", title: "In order", one: "check", icon: <CheckCircleIcon />, open: false },
] as const;

export function Findings({ list }: { list: Finding[] }) {
  if (list.length === 0) return <p className="about">Nothing has been examined yet.</p>;
  return GROUPS.map((group) => {
    const found = list.filter((f) => f.severity === group.severity);
    return found.length === 0 ? null : <Group key={group.severity} group={group} found={found} />;
  });
}

function Group({ group, found }: { group: (typeof GROUPS)[number]; found: Finding[] }) {
  const [open, setOpen] = useState<boolean>(group.open);
  return (
    <ExpandableSection
      className={`findings findings-${group.severity}`}
      isExpanded={open}
      onToggle={(_, to) => setOpen(to)}
      toggleContent={
        <span className="findings-title">
          <span className="findings-icon" aria-hidden="true">
            {group.icon}
          </span>
          {group.title} <span className="about">{count(found.length, group.one)}</span>
        </span>
      }
    >
      <ul aria-label={group.title}>
        {found.map((finding) => (
          <li key={`${finding.id} ${finding.subject}`}>
            <One finding={finding} />
          </li>
        ))}
      </ul>
    </ExpandableSection>
  );
}

function One({ finding }: { finding: Finding }) {
  const [open, setOpen] = useState(false);
  return (
    <article className="finding">
      <h3>
        {sentence(finding.reason)}{" "}
        <Label isCompact variant="outline">
          {finding.subject}
        </Label>
      </h3>
      {finding.fix && (
        <div>
          <h4>What to do</h4>
          <ClipboardCopy
            isReadOnly
            isCode
            isExpanded={finding.fix.includes("\n")}
            variant={finding.fix.includes("\n") ? "expansion" : "inline"}
            hoverTip="Copy"
            clickTip="Copied"
            textAriaLabel={`Fix for ${finding.id}`}
            toggleAriaLabel={`Show the fix for ${finding.id}`}
            copyAriaLabel={`Copy the fix for ${finding.id}`}
          >
            {finding.fix}
          </ClipboardCopy>
        </div>
      )}
      {(finding.evidence.length > 0 || finding.source) && (
        <ExpandableSection
          toggleText={open ? "Hide the evidence" : "Show the evidence"}
          toggleAriaLabel={`Evidence for ${finding.id}, ${finding.subject}`}
          isExpanded={open}
          onToggle={(_, to) => setOpen(to)}
        >
          <dl className="evidence">
            {finding.evidence.map((e) => (
              <div key={`${e.path} ${e.content}`}>
                <dt>{e.path}</dt>
                <dd>{e.content}</dd>
              </div>
            ))}
            {finding.source && (
              <div>
                <dt>Backed by</dt>
                <dd>
                  <Source text={finding.source} />
                </dd>
              </div>
            )}
          </dl>
        </ExpandableSection>
      )}
    </article>
  );
}

function Source({ text }: { text: string }) {
  if (!/^https:\/\/\S+$/.test(text)) return text;
  return (
    <a href={text} target="_blank" rel="noreferrer">
      {text}
    </a>
  );
}
