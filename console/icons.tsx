/** Icons that only the console needs, drawn like those of client/ui. */

const shape = (d: string) => () => (
  <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    <path d={d} />
  </svg>
);

export const ChatsIcon = shape("M3 4.5h10v7H7l-3 2.5V11.5H3zM15.5 8H17v7h-1v2.5L13 15H8.5");
export const KeysIcon = shape("M2.5 5.5h15v9h-15zM5.5 8.5h.01M8.5 8.5h.01M11.5 8.5h.01M14.5 8.5h.01M6 11.5h8");
export const SignOutIcon = shape("M8 3.5H4v13h4M12.5 6.5 16 10l-3.5 3.5M16 10H8");
export const PersonIcon = shape("M10 3.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M4 16.5c.5-6 11.5-6 12 0");
export const HelpIcon = shape("M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M7.8 8c0-3 4.4-2.8 4.4-.2 0 1.7-2.2 1.8-2.2 3.6M10 13.8h.01");
export const PrintIcon = shape("M6 7V3.5h8V7M6 14H3.5V7h13v7H14M6 12h8v4.5H6z");
export const DownloadIcon = shape("M10 3.5v9M6 9l4 4 4-4M4 16.5h12");
export const NoteIcon = shape("M4 3.5h12v9l-4 4H4zM12 16.5v-4h4M7 7.5h6M7 10.5h3");
