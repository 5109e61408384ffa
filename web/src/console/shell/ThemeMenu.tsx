import { Dropdown, DropdownItem, DropdownList, MenuToggle } from "@patternfly/react-core";
import AdjustIcon from "@patternfly/react-icons/dist/esm/icons/adjust-icon";
import MoonIcon from "@patternfly/react-icons/dist/esm/icons/moon-icon";
import SunIcon from "@patternfly/react-icons/dist/esm/icons/sun-icon";
import { useState } from "react";
import { setTheme, type Theme, useTheme } from "../theme";

const THEMES = {
  system: { text: "As the system", icon: <AdjustIcon /> },
  light: { text: "Light", icon: <SunIcon /> },
  dark: { text: "Dark", icon: <MoonIcon /> },
} as const;

export function ThemeMenu() {
  const [open, setOpen] = useState(false);
  const chosen = useTheme();
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={(_, value) => {
        setTheme(value as Theme);
        setOpen(false);
      }}
      popperProps={{ position: "right" }}
      shouldFocusToggleOnSelect
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          variant="plain"
          isExpanded={open}
          onClick={() => setOpen(!open)}
          aria-label={`Theme: ${THEMES[chosen].text}`}
          icon={THEMES[chosen].icon}
        />
      )}
    >
      <DropdownList>
        {Object.entries(THEMES).map(([value, { text, icon }]) => (
          <DropdownItem key={value} value={value} icon={icon} isSelected={value === chosen}>
            {text}
          </DropdownItem>
        ))}
      </DropdownList>
    </Dropdown>
  );
}
