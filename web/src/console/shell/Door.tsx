/** The page before the house: brand, one panel, and the theme switch. */
import { Content, Title } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { Logo } from "../brand/Logo";
import { Wall } from "../brand/Wall";
import { ThemeMenu } from "./ThemeMenu";

export function Door({ title, about, children }: { title: string; about: ReactNode; children: ReactNode }) {
  return (
    <div className="door">
      <div className="door-picture" aria-hidden="true">
        <Wall />
      </div>
      <main className="door-panel">
        <div className="door-theme">
          <ThemeMenu />
        </div>
        <div className="door-inside">
          <div className="door-brand">
            <Logo size={48} />
            <span className="brand-name">Oriel</span>
          </div>
          <Title headingLevel="h1" size="2xl">
            {title}
          </Title>
          <Content component="p">{about}</Content>
          {children}
        </div>
      </main>
    </div>
  );
}
