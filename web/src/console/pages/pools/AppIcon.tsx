/** A program's picture, or what stands for it; its name is said beside it. */
import CubeIcon from "@patternfly/react-icons/dist/esm/icons/cube-icon";

export function AppIcon({ href }: { href: string | null }) {
  return href ? (
    <img className="app-icon" src={href} alt="" width={32} height={32} loading="lazy" />
  ) : (
    <CubeIcon className="app-icon" aria-hidden />
  );
}
