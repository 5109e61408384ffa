/** Masthead, navigation, and the place where pages appear. */
import {
  Masthead,
  MastheadBrand,
  MastheadContent,
  MastheadLogo,
  MastheadMain,
  MastheadToggle,
  Nav,
  NavGroup,
  NavItem,
  NavList,
  Page,
  PageSidebar,
  PageSidebarBody,
  PageToggleButton,
  SkipToContent,
} from "@patternfly/react-core";
import BarsIcon from "@patternfly/react-icons/dist/esm/icons/bars-icon";
import BullhornIcon from "@patternfly/react-icons/dist/esm/icons/bullhorn-icon";
import ClipboardListIcon from "@patternfly/react-icons/dist/esm/icons/clipboard-list-icon";
import CloudIcon from "@patternfly/react-icons/dist/esm/icons/cloud-icon";
import CubesIcon from "@patternfly/react-icons/dist/esm/icons/cubes-icon";
import DesktopIcon from "@patternfly/react-icons/dist/esm/icons/desktop-icon";
import HddIcon from "@patternfly/react-icons/dist/esm/icons/hdd-icon";
import HistoryIcon from "@patternfly/react-icons/dist/esm/icons/history-icon";
import MicrochipIcon from "@patternfly/react-icons/dist/esm/icons/microchip-icon";
import PlugIcon from "@patternfly/react-icons/dist/esm/icons/plug-icon";
import ServerIcon from "@patternfly/react-icons/dist/esm/icons/server-icon";
import ShareSquareIcon from "@patternfly/react-icons/dist/esm/icons/share-square-icon";
import TachometerAltIcon from "@patternfly/react-icons/dist/esm/icons/tachometer-alt-icon";
import ThIcon from "@patternfly/react-icons/dist/esm/icons/th-icon";
import UsersIcon from "@patternfly/react-icons/dist/esm/icons/users-icon";
import VideoIcon from "@patternfly/react-icons/dist/esm/icons/video-icon";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { type ComponentType, useEffect, useState } from "react";
import { Logo } from "../brand/Logo";
import { may, type Permission } from "../roles";
import { useMe } from "./me";
import { ThemeMenu } from "./ThemeMenu";
import { UserMenu } from "./UserMenu";

interface Place {
  to:
    | "/"
    | "/dashboard"
    | "/images"
    | "/pools"
    | "/devices"
    | "/users"
    | "/sessions"
    | "/recordings"
    | "/operations"
    | "/audit"
    | "/webhooks"
    | "/syslog"
    | "/gpus"
    | "/clouds"
    | "/host";
  text: string;
  icon: ComponentType;
  /** Nobody else sees the way there. */
  needs?: Permission;
}

const MINE: Place[] = [{ to: "/", text: "My desktops", icon: DesktopIcon }];
const MANAGE: Place[] = [
  { to: "/dashboard", text: "Dashboard", icon: TachometerAltIcon, needs: "host_read" },
  { to: "/pools", text: "Pools", icon: CubesIcon, needs: "pools_read" },
  { to: "/devices", text: "Devices", icon: ThIcon, needs: "desktops_operate" },
  { to: "/images", text: "Images", icon: HddIcon, needs: "images_read" },
  { to: "/users", text: "Users and groups", icon: UsersIcon, needs: "people_read" },
  { to: "/sessions", text: "Sessions", icon: PlugIcon, needs: "sessions_read" },
  { to: "/recordings", text: "Recordings", icon: VideoIcon, needs: "recordings_read" },
  { to: "/operations", text: "Operations", icon: ClipboardListIcon, needs: "operations_read" },
  { to: "/audit", text: "Audit", icon: HistoryIcon, needs: "audit_read" },
  { to: "/webhooks", text: "Webhooks", icon: ShareSquareIcon, needs: "audit_read" },
  { to: "/syslog", text: "Syslog", icon: BullhornIcon, needs: "audit_read" },
  { to: "/gpus", text: "GPUs", icon: MicrochipIcon, needs: "gpus_read" },
  { to: "/clouds", text: "Clouds", icon: CloudIcon, needs: "host_read" },
  { to: "/host", text: "Host", icon: ServerIcon, needs: "host_read" },
];

export function Layout() {
  const me = useMe();
  const path = useRouterState({ select: (s) => s.location.pathname });
  // Where the page is narrow, the navigation opens over it and closes by itself.
  const [narrow, setNarrow] = useState(false);
  const [open, setOpen] = useState(true);
  useEffect(() => setOpen(!narrow), [narrow]);
  const places = MANAGE.filter(({ needs }) => !needs || may(me, needs));
  // Most people have one page: no navigation to collapse.
  const manages = places.length > 0;
  const sidebar = manages ? (
    <PageSidebar isSidebarOpen={open} id="nav">
      <PageSidebarBody>
        <Nav aria-label="Pages" onSelect={() => narrow && setOpen(false)}>
          <NavList>
            <Places places={MINE} path={path} />
          </NavList>
          <NavGroup title="Manage">
            <Places places={places} path={path} />
          </NavGroup>
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  ) : undefined;

  return (
    <>
      <Page
        mainContainerId="main"
        skipToContent={<SkipToContent href="#main">Skip to content</SkipToContent>}
        isContentFilled
        onPageResize={(_, { mobileView }) => setNarrow(mobileView)}
        sidebar={sidebar}
        masthead={
          <Masthead display={{ default: "inline" }}>
            <MastheadMain>
              {manages && (
                <MastheadToggle>
                  <PageToggleButton
                    aria-label={open ? "Hide navigation" : "Show navigation"}
                    isSidebarOpen={open}
                    onSidebarToggle={() => setOpen(!open)}
                    id="nav-toggle"
                  >
                    <BarsIcon />
                  </PageToggleButton>
                </MastheadToggle>
              )}
              <MastheadBrand>
                <MastheadLogo
                  component={(props) => <Link {...props} to="/" aria-label="Oriel: my desktops" />}
                >
                  <Logo />
                  <span className="brand-name">Oriel</span>
                </MastheadLogo>
              </MastheadBrand>
            </MastheadMain>
            <MastheadContent>
              <div className="masthead-end">
                <ThemeMenu />
                <UserMenu me={me} />
              </div>
            </MastheadContent>
          </Masthead>
        }
      >
        <Outlet />
      </Page>
      <div id="route-announcer" aria-live="polite" aria-atomic="true" className="pf-v6-screen-reader" />
    </>
  );
}

function Places({ places, path }: { places: Place[]; path: string }) {
  return places.map(({ to, text, icon: Icon }) => (
    <NavItem key={to} itemId={to} isActive={path === to}>
      <Link to={to}>
        <span className="pf-v6-c-nav__link-icon">
          <Icon />
        </span>
        <span className="pf-v6-c-nav__link-text">{text}</span>
      </Link>
    </NavItem>
  ));
}
