import { Bullseye } from "@patternfly/react-core";
import { Component, type ReactNode } from "react";
import { asProblem } from "../../api/problem";
import { ProblemState } from "./ProblemState";

/** The last resort: an error of the page itself is said, rather than leaving it blank. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <Bullseye>
        <ProblemState problem={asProblem(this.state.error)} retry={() => location.reload()} />
      </Bullseye>
    );
  }
}
