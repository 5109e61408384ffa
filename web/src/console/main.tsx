import "@patternfly/react-core/dist/styles/base.css";
import "./console.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { applyTheme } from "./theme";

applyTheme();
const root = document.getElementById("root");
if (root) createRoot(root).render(<App />);
