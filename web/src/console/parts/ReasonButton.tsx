/** A button that says why it cannot be pressed, rather than being hidden or silently grey. */
import { Button, type ButtonProps, Tooltip } from "@patternfly/react-core";

export function ReasonButton({ reason, ...props }: ButtonProps & { reason: string }) {
  if (!reason) return <Button {...props} />;
  const { onClick: _, href: __, target: ___, component: ____, ...rest } = props;
  return (
    <Tooltip content={reason}>
      <Button {...rest} isAriaDisabled />
    </Tooltip>
  );
}
