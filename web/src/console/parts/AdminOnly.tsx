import { Button, EmptyState, EmptyStateBody, EmptyStateFooter, PageSection } from "@patternfly/react-core";
import LockIcon from "@patternfly/react-icons/dist/esm/icons/lock-icon";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";

/** The server refuses these pages' data to others anyway; this says it in words. */
export function AdminOnly({ title, children }: { title: string; children: ReactNode }) {
  if (useMe().role === "admin") return children;
  return (
    <>
      <PageHead title={title} />
      <PageSection isFilled>
        <EmptyState icon={LockIcon} titleText="This page is for admins" headingLevel="h2">
          <EmptyStateBody>Your account can open desktops. Ask an admin for anything else.</EmptyStateBody>
          <EmptyStateFooter>
            <Button variant="primary" component={(props) => <Link {...props} to="/" />}>
              My desktops
            </Button>
          </EmptyStateFooter>
        </EmptyState>
      </PageSection>
    </>
  );
}
