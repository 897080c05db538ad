import './styles/base.css';
import './styles/controls.css';
import './styles/top-bar.css';
import './styles/sign-in.css';
import './styles/desk.css';
import './styles/pair.css';
import './styles/chat.css';
import './styles/inbox.css';
import './styles/tasks.css';
import './styles/wire.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { applyTheme, readTheme } from './theme.ts';

applyTheme(readTheme());
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
